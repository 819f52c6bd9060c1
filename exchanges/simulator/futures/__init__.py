"""The second protocol of the simulator: perpetual swaps as Binance USD-M futures has them.

One-way mode, linear contracts settled in their quote currency, on the same prices and for the same
accounts as the spot markets, with wallets of their own.
"""
