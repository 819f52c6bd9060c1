"""The read paths of trading."""
