"""Venues, instruments, exchange accounts, candles, and the adapters that talk to exchanges."""
