"""Composition root: settings, URLs, the Celery application. It may see everything."""

from config.celery import app as celery_app

__all__ = ("celery_app",)
