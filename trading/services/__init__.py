"""The write paths of trading."""
