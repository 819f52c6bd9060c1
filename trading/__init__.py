"""Live and paper trading: evaluation, orders, fills, positions, reconciliation."""
