"""What the tests of trading stand on: a venue in memory, an account, a running deployment."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from exchanges.adapters import memory
from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.protocol import BalanceReport
from exchanges.models import AccountKind, ExchangeAccount, Instrument
from exchanges.services import balances
from tests.factories import accounts as people
from tests.factories import trading as factory
from tests.trading.live_market import make_swap
from trading.models import Deployment, DeploymentPosition, Order, OrderIntent
from trading.services import bars, reconciliation, submission


@pytest.fixture(autouse=True)
def _no_bars_of_another_test() -> Iterator[None]:
    yield
    bars.forget_all()


@pytest.fixture
def memory_venue() -> Iterator[InMemoryVenue]:
    """The exchange behind every account of the test, with faults on request."""
    venue = InMemoryVenue()
    memory.use_venue(factory.VENUE_CODE, venue)
    yield venue
    memory.forget_venues()


@pytest.fixture
def now() -> datetime:
    """The instant at which the test begins: the venue in memory lives by the wall clock."""
    return timezone.now()


@pytest.fixture
def instrument(db: None) -> Instrument:
    """BTC/USDT."""
    return factory.make_memory_instrument()


@pytest.fixture
def live_account(
    memory_venue: InMemoryVenue, instrument: Instrument, now: datetime
) -> ExchangeAccount:
    """A connected account with 100,000 USDT."""
    owner = people.make_person()
    account = factory.make_account(owner, instrument, kind=AccountKind.LIVE, now=now)
    held = BalanceReport("USDT", free=Decimal(100_000), used=Decimal(0))
    with transaction.atomic():
        # The test of its key has asked what it holds, a while ago.
        asked_at = now - timedelta(hours=1)
        balances.record_balances(account_id=account.pk, reports=[held], now=asked_at)
    return account


@pytest.fixture
def live_deployment(live_account: ExchangeAccount, now: datetime) -> Deployment:
    """A deployment that trades at the venue in memory."""
    return factory.make_deployment(live_account, now=now)


@dataclass
class Desk:
    """The platform's hands on one deployment, with a clock that the test moves."""

    venue: InMemoryVenue
    deployment: Deployment
    instrument: Instrument
    now: datetime

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def decide(self, **fields: Any) -> OrderIntent:
        """Store a decision and return it."""
        return factory.make_intent(self.deployment, self.instrument, now=self.now, **fields)

    def submit(self) -> int:
        """Send what is due."""
        return submission.submit_due_intents(now=self.now)

    def reconcile(self) -> bool:
        """Compare the account with the venue."""
        return reconciliation.reconcile_account(account_id=self.deployment.account_id, now=self.now)

    def enter(self, quantity: str = "0.1") -> Order:
        """Open a position and return the order that did."""
        intent = self.decide(quantity=Decimal(quantity))
        self.submit()
        return Order.objects.get(intent=intent)

    def order(self, leg: str) -> Order:
        """Return the newest order of a leg."""
        return Order.objects.filter(deployment=self.deployment, leg=leg).latest("pk")

    @property
    def position(self) -> DeploymentPosition:
        """What the deployment holds."""
        return DeploymentPosition.objects.get(deployment=self.deployment)


@pytest.fixture
def desk(
    memory_venue: InMemoryVenue, live_deployment: Deployment, instrument: Instrument, now: datetime
) -> Desk:
    """A live deployment to work on."""
    return Desk(memory_venue, live_deployment, instrument, now)


@pytest.fixture
def swap_desk(db: None, now: datetime) -> Iterator[Desk]:
    """A crossover with a target on a swap, where stop and target rest beside one another."""
    instrument, report = make_swap()
    venue = InMemoryVenue(instruments=[report])
    memory.use_venue(factory.VENUE_CODE, venue)
    account = factory.make_account(people.make_person(), instrument, kind=AccountKind.LIVE, now=now)
    deployment = factory.make_deployment(account, now=now, symbol=instrument.symbol)
    yield Desk(venue, deployment, instrument, now)
    memory.forget_venues()
