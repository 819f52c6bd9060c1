"""Strategies: what they are, how they decide, and the catalogue of those that exist."""
