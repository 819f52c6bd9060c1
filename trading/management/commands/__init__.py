"""Commands of trading."""
