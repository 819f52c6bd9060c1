"""Celery entry points of the exchanges; each is one call of a service."""

from exchanges.tasks import accounts, equity, feeds, workers

__all__ = ("accounts", "equity", "feeds", "workers")
