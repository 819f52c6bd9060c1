"""The read paths of the exchanges."""
