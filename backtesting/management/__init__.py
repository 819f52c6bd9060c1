"""Commands of backtesting."""
