"""Simulations over recorded candles, and their results."""
