"""The JSON API of the people."""
