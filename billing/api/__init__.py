"""The JSON API of billing."""
