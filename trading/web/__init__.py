"""The pages of trading."""
