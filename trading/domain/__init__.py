"""The pure part of trading: keys, sizes, staleness, what a report does to an order."""
