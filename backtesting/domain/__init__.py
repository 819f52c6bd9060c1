"""Pure shapes and arithmetic of backtest runs."""
