"""The write paths of billing."""
