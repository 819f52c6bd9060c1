"""The application registry entry of the pages that span apps."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Home, dashboard, operations, errors, components."""

    name = "web"
