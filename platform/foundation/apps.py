"""The application registry entry of the foundation."""

from django.apps import AppConfig


class FoundationConfig(AppConfig):
    """Django blocks without trading words."""

    name = "foundation"
