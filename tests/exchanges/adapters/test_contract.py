"""Every venue client keeps the same contract."""

from decimal import Decimal

import pytest

from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.paper import PaperVenueClient
from tests.exchanges.adapters.contract import ExchangeContract, Harness, VenueContract


class MemoryHarness(Harness):
    """The venue that lives in this process."""

    def __init__(self) -> None:
        self.venue = InMemoryVenue(deposits={"USDT": Decimal(100_000), "BTC": Decimal(1)})

    def client(self):
        return self.venue.client()


class PaperHarness(MemoryHarness):
    """Paper, with the prices and rules of the venue in memory."""

    def client(self):
        rules = self.venue.book.instruments
        return PaperVenueClient(rules=rules, market_data=self.venue.client())


@pytest.mark.enable_socket
class TestCcxtOnTheSimulator(ExchangeContract):
    """Real HTTP to a real process."""

    @pytest.fixture
    def venue(self, simulator):
        return simulator


class TestMemory(ExchangeContract):
    """The twin that other tests trust."""

    @pytest.fixture
    def venue(self):
        return MemoryHarness()


class TestPaper(VenueContract):
    """Checks and accepts; it keeps nothing."""

    @pytest.fixture
    def venue(self):
        return PaperHarness()
