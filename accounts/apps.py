"""The application registry entry of the people."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, their sessions and their profiles."""

    name = "accounts"
