"""Figures for Prometheus: what this process measures, and what the database and the queue tell about all of them."""
