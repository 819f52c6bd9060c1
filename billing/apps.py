"""The application registry entry of billing."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """What is sold and who may use it."""

    name = "billing"
