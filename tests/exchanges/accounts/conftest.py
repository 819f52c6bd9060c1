"""People, a venue in memory that takes keys, and the canaries that must appear nowhere."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from accounts.models import User
from exchanges.adapters import memory
from exchanges.adapters.factory import MEMORY
from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.protocol import KeyPermissions
from exchanges.models import Venue
from tests.factories import accounts as people
from tests.factories import exchanges as factory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
API_KEY = "canary-api-key-4f1c9d20a7"
SECRET = "canary-secret-b86e0d13c5"

#: What a venue answers that does not tell whether a key can withdraw.
UNTOLD = KeyPermissions(can_read=True, can_trade=True, can_withdraw=None)


@pytest.fixture
def ada(db: None) -> User:
    """The person whose accounts these are."""
    return people.make_person("ada@example.com")


@pytest.fixture
def bert(db: None) -> User:
    """Somebody else."""
    return people.make_person("bert@example.com")


@pytest.fixture
def venue(db: None) -> Venue:
    """A venue that takes keys; what it answers is programmed at ``memory_venue``."""
    return factory.make_venue("memory", name="Memory", ccxt_id=MEMORY, takes_live_accounts=True)


@pytest.fixture
def memory_venue(venue: Venue) -> Iterator[InMemoryVenue]:
    """The exchange behind that venue."""
    exchange = InMemoryVenue()
    exchange.clock = lambda: NOW
    memory.use_venue(venue.code, exchange)
    yield exchange
    memory.forget_venues()
