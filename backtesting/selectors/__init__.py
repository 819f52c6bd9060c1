"""The read paths of backtesting."""
