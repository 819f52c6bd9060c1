"""Journeys with real processes: web, a worker per queue, beat and the simulator exchange."""
