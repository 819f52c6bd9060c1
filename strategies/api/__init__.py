"""The JSON API of strategies."""
