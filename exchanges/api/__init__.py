"""The JSON API of exchanges."""
