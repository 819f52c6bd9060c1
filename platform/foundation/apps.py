"""The application registry entry of the foundation."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from foundation import task_context, worker_memory
from foundation.metrics import task_figures, worker_exporter


class FoundationConfig(AppConfig):
    """Django blocks without trading words."""

    name = "foundation"

    def ready(self) -> None:
        """Listen to the queue's own moments: messages sent, tasks begun and ended, workers made and ready."""
        # By name, because the views that the checks look at cannot be imported before all apps are there.
        autodiscover_modules("checks")
        task_context.connect()
        worker_memory.connect()
        task_figures.connect()
        worker_exporter.connect()
