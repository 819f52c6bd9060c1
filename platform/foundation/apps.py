"""The application registry entry of the foundation."""

from django.apps import AppConfig

from foundation import task_context
from foundation.metrics import task_figures, worker_exporter


class FoundationConfig(AppConfig):
    """Django blocks without trading words."""

    name = "foundation"

    def ready(self) -> None:
        """Listen to the queue's own moments: messages sent, tasks begun and ended, a worker ready."""
        task_context.connect()
        task_figures.connect()
        worker_exporter.connect()
