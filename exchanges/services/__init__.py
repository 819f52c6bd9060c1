"""The write paths of the exchanges."""
