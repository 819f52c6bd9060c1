"""While a paper deployment is paused or halted nothing opens and nothing is added, as on an exchange."""

from datetime import timedelta
from decimal import Decimal

import pytest

from exchanges.models import AccountKind
from foundation.audit import Actor
from market.enums import Leg, OrderStatus
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from tests.trading.telling import tell
from trading.models import (
    CommandKind,
    Deployment,
    DeploymentPosition,
    Fill,
    Order,
    SignalGroup,
)
from trading.services import evaluation, restrictions, submission

pytestmark = pytest.mark.django_db

_ME = Actor.system("test")
_FIRST_MS = market_factory.NEW_YEAR_MS
_PARAMETERS = {
    "base_order_size_usdt": 400.0,
    "safety_order_size_usdt": 400.0,
    "safety_order_deviation_percent": 0.3,
    "tp1_percent": 5.0,
    "tp2_percent": 6.0,
    "tp3_percent": 7.0,
    "stop_loss_percent": 5.0,
}


class Tape:
    """Bars of a minute, fed one by one."""

    def __init__(self, instrument) -> None:
        self.instrument, self.count, self.last = instrument, 0, 40_000.0
        self.now = from_milliseconds(_FIRST_MS)

    def goes_to(self, *closes: float) -> None:
        """Close bars at these prices, and let orders go out after each."""
        for close in closes:
            open_ms = _FIRST_MS + self.count * MINUTE_MS
            bar = market_factory.make_candles(
                [self.last, close], timeframe=Timeframe.M1, first_open_ms=open_ms - MINUTE_MS
            ).slice(1, 2)
            market_factory.store_candles(self.instrument, Timeframe.M1, bar)
            self.count, self.last = self.count + 1, close
            self.now = from_milliseconds(open_ms + MINUTE_MS) + timedelta(milliseconds=200)
            for group in SignalGroup.objects.all():
                evaluation.evaluate_signal_group(group_id=group.pk, now=self.now)
            submission.submit_due_intents(now=self.now)


@pytest.fixture
def tape(memory_venue, instrument):
    tape = Tape(instrument)
    tape.goes_to(*[40_000.0] * 5)
    return tape


@pytest.fixture
def account(instrument, tape):
    owner = people.make_person()
    return factory.make_account(owner, instrument, kind=AccountKind.PAPER, now=tape.now)


@pytest.fixture
def ladder(account, tape):
    """A deployment that holds its first order and waits for the price to fall by 0.3 %."""
    deployment = factory.make_deployment(
        account,
        now=tape.now,
        is_started=False,
        strategy_slug="dca-ladder",
        parameters=_PARAMETERS,
        capital=Decimal(10_000),
    )
    tape.goes_to(40_000.0, 40_000.0)
    assert legs() == [Leg.ENTRY]
    return deployment


def legs() -> list[str]:
    """Return what has filled so far."""
    return list(Fill.objects.order_by("pk").values_list("order__leg", flat=True))


def halted(deployment: Deployment, now):
    """Set a state of trading on a deployment."""
    return restrictions.set_by_hand(
        target=restrictions.of_deployment(deployment),
        state="REDUCING",
        reason="Because of a test.",
        by=_ME,
        is_operator=True,
        now=now,
    )


class TestLadder:
    def test_nothing_is_added_while_paused_and_it_goes_on_afterwards(self, ladder, tape):
        tell(ladder, CommandKind.PAUSE, now=tape.now)
        tape.goes_to(39_800.0)
        assert legs() == [Leg.ENTRY]

        tell(ladder, CommandKind.RESUME, now=tape.now, key="k2")
        tape.goes_to(39_820.0)

        assert legs() == [Leg.ENTRY, Leg.LADDER]

    def test_nothing_is_added_under_a_restriction_and_the_stop_still_works(self, ladder, tape):
        halted(ladder, tape.now)
        tape.goes_to(39_800.0, 37_500.0)

        assert legs() == [Leg.ENTRY, Leg.STOP]
        assert DeploymentPosition.objects.get(deployment=ladder).quantity == 0


def test_a_resting_entry_is_canceled_by_a_pause(account, instrument, tape):
    deployment = factory.make_deployment(account, now=tape.now)
    intent = factory.make_intent(
        deployment, instrument, now=tape.now, order_type="LIMIT", price=Decimal(30_000)
    )
    submission.submit_due_intents(now=tape.now)
    order = Order.objects.get(intent=intent)
    assert order.status == OrderStatus.ACCEPTED

    tell(deployment, CommandKind.PAUSE, now=tape.now)

    order.refresh_from_db()
    assert order.status == OrderStatus.CANCELED
