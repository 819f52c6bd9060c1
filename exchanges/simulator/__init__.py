"""A simulated exchange that speaks the Binance spot REST API over recorded prices.

Run it with ``python -m exchanges.simulator``. It imports nothing of the platform but ``market``.
"""
