"""The outside world behind one protocol; only this package speaks to exchanges."""
