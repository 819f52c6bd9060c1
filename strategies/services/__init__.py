"""The write paths of the catalogue."""
