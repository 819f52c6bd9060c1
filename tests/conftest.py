"""What holds for the whole suite."""

import gc
from collections.abc import Iterator

import pytest
from django.db import connections
from django.test import TransactionTestCase
from hypothesis import settings

from tests.emptying import empty_databases
from tests.template import template_database

# A slow machine is no bug: speed is measured by `make bench`, never by a property.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the acceptance cards for the practice market of a real venue."""
    parser.addoption(
        "--live-sandbox",
        metavar="VENUE",
        help="run the acceptance cards with keys on the practice market of this venue, such as binance",
    )


def pytest_collection_finish() -> None:
    """Set aside what lives as long as the run: thousands of tests, and all that they have imported.

    Whoever looks for garbage would go through it again and again.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Copy a migrated database, and let the threads of the live server give their connection back.

    A browser keeps its sockets open, and with them their threads: nobody could drop the database
    in the end.
    """
    connections.settings["default"]["CONN_MAX_AGE"] = 0
    connections.settings["default"]["TEST"]["TEMPLATE"] = template_database()


@pytest.fixture(scope="session", autouse=True)
def _quick_emptying() -> Iterator[None]:
    """Empty the database quickly after tests that commit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_databases)
        yield
