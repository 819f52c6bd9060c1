"""The read paths of the catalogue."""
