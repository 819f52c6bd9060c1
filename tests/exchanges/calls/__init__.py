"""Calls to venues: the budget they share, the loop they run in, the clients that are kept."""
