"""The write paths of backtesting."""
