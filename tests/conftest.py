"""What holds for the whole suite."""

import pytest
from django.db import connections
from hypothesis import settings

# A slow machine is no bug: speed is measured by `make bench`, never by a property.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Let the threads of the live server give their connection back after each answer.

    A browser keeps its sockets open, and with them their threads: nobody could drop the database
    in the end.
    """
    connections.settings["default"]["CONN_MAX_AGE"] = 0
