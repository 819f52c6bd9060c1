"""The pages of backtesting."""
