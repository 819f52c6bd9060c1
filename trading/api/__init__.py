"""The JSON API of trading."""
