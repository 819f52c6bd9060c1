"""The arithmetic of orders and positions as compiled functions over small fixed records.

``match`` is how a bar meets what waits for it; ``strategies.kernel.decide`` follows it at the close.
Both are used by backtests, paper trading and live trading alike. Importing this package loads the
compiler: only processes that compute do.
"""
