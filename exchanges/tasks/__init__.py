"""Celery entry points of the exchanges; each is one call of a service."""

from exchanges.tasks import accounts, feeds, workers

__all__ = ("accounts", "feeds", "workers")
