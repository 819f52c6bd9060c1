"""The read paths of the people."""
