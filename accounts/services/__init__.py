"""The write paths of the people."""
