"""The application registry entry of the pages that span apps."""

from celery import current_app
from django.apps import AppConfig


class WebConfig(AppConfig):
    """Home, dashboard, operations, errors, components."""

    name = "web"

    def ready(self) -> None:
        """Make task names known: work is enqueued by name, also from processes that run no tasks."""
        current_app.autodiscover_tasks(force=True)
