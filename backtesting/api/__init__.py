"""The JSON API of backtesting."""
