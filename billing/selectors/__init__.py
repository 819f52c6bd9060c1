"""The read paths of billing."""
