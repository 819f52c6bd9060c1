"""Every refusal of a limit, for the deployment, the account and the person: the intent is DENIED with its code."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest

from exchanges.models import Quote, Venue
from foundation.audit import Actor
from market.enums import InstrumentKind, Leg, Side
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds
from tests.factories import exchanges as exchange_factory
from tests.factories import trading as factory
from tests.trading import test_universe_parity as universes
from trading.domain.verdicts import Denial
from trading.models import (
    DeploymentDecision,
    DeploymentPosition,
    IntentStatus,
    OrderIntent,
    SignalGroup,
    TradingRestriction,
)
from trading.services import evaluation, limits, restrictions
from trading.services.limits import LIMITS

pytestmark = pytest.mark.django_db

SCOPES = ("deployment", "account", "person")


def enter(desk) -> None:
    assert desk.enter("0.01").status == "FILLED"


def lose(desk) -> None:
    """Enter and leave again: the fees of both are lost."""
    enter(desk)
    desk.reconcile()
    desk.decide(leg=Leg.EXIT, side=Side.SELL)
    for _ in range(3):
        desk.submit()
        desk.reconcile()
    assert desk.position.quantity == 0


def be_stopped_out(desk) -> None:
    enter(desk)
    desk.reconcile()
    desk.venue.book.move_price("BTC/USDT", Decimal(39_000))
    desk.reconcile()
    assert desk.position.quantity == 0
    desk.venue.book.move_price("BTC/USDT", Decimal(40_000))


def fall(desk) -> None:
    """Hold something worth 5 % less of the capital than it was."""
    enter(desk)
    DeploymentPosition.objects.update(last_price=Decimal(-10_000))


def rest(desk) -> None:
    desk.decide(order_type="LIMIT", price=Decimal(39_900), quantity=Decimal("0.001"))
    desk.submit()


def hold_elsewhere(desk) -> None:
    """Let another deployment of the same account hold another market."""
    other = exchange_factory.make_instrument("ETH/USDT", venue=desk.instrument.venue)
    deployment = factory.make_deployment(
        desk.deployment.account, now=desk.now, symbol="ETH/USDT", name="Other"
    )
    DeploymentPosition.objects.filter(deployment=deployment, instrument=other).update(
        quantity=Decimal("0.1"), average_price=Decimal(2_000), last_price=Decimal(2_000)
    )


def quote(desk, *, bid: str = "39999", ask: str = "40001", last: str = "40000") -> None:
    Quote.objects.create(
        instrument=desk.instrument, bid=bid, ask=ask, last=last, recorded_at=desk.now
    )


@dataclass(frozen=True)
class Case:
    """What is limited, what happens, and with which code the entry after it is denied."""

    code: str
    values: dict[str, str]
    happens: object
    entry: dict[str, object] = field(default_factory=dict)
    scopes: tuple[str, ...] = SCOPES


def _skewed(desk) -> None:
    Venue.objects.update(clock_offset_ms=-501)
    desk.deployment.account.venue.refresh_from_db()


CASES = (
    Case("DAILY_LOSS_LIMIT", {"max_daily_loss_percent": "4.9"}, fall),
    Case("DRAWDOWN_LIMIT", {"max_drawdown_percent": "4.9"}, fall),
    Case("STOP_GUARD", {"stop_guard_stops": "1"}, be_stopped_out),
    Case("LOSING_STREAK", {"losing_streak_trades": "1"}, lose),
    Case("LOW_PROFIT", {"low_profit_trades": "1"}, lose),
    Case("EXIT_COOLDOWN", {"exit_cooldown_minutes": "1"}, lose),
    Case("EXPOSURE_LIMIT", {"max_exposure_percent": "9.9"}, lambda desk: None),
    Case("OPEN_ORDERS_LIMIT", {"max_open_orders": "1"}, rest),
    # A deployment of one market never opens a further position; one of many is below.
    Case("OPEN_POSITIONS_LIMIT", {"max_open_positions": "1"}, hold_elsewhere, {}, SCOPES[1:]),
    Case(
        "PRICE_OUTSIDE_BAND",
        {"price_band_percent": "1"},
        lambda desk: quote(desk, last="39600", bid="39599", ask="39601"),
    ),
    Case(
        "SPREAD_TOO_WIDE",
        {"max_spread_bps": "9.9"},
        lambda desk: quote(desk, bid="39980", ask="40020"),
    ),
    Case("CLOCK_SKEW", {"max_clock_skew_ms": "500"}, _skewed),
    Case("DATA_STALE", {"stale_after_seconds": "5"}, lambda desk: desk.later(0)),
)


def limit(desk, scope: str, values: dict[str, str]) -> None:
    deployment = desk.deployment
    target = {
        "deployment": restrictions.of_deployment(deployment),
        "account": restrictions.of_account(deployment.account),
        "person": restrictions.of_person(deployment.owner_id, name="P"),
    }[scope]
    limits.save_limits(
        target=target,
        owner_id=deployment.owner_id,
        values=values,
        by=Actor.person(deployment.owner_id),
        now=desk.now,
    )


def decided(desk, case: Case):
    fields = dict(case.entry)
    if case.code == "DATA_STALE":
        fields["bar_close_at"] = desk.now - timedelta(seconds=6)
    intent = desk.decide(quantity=Decimal("0.025"), **fields)
    desk.submit()
    intent.refresh_from_db()
    return intent


@pytest.mark.parametrize(
    ("case", "scope"),
    [(case, scope) for case in CASES for scope in case.scopes],
    ids=lambda each: getattr(each, "code", each),
)
def test_a_limit_denies_an_entry_with_its_code(desk, case, scope):
    limit(desk, scope, case.values)
    case.happens(desk)

    intent = decided(desk, case)

    assert (intent.status, intent.reason_code) == (IntentStatus.DENIED, case.code)


@pytest.mark.parametrize(
    "case",
    # One of those to which the same happens, and each that asks for the market.
    [
        case
        for case in CASES[4:]
        if case.code not in {"LOW_PROFIT", "EXIT_COOLDOWN", "OPEN_ORDERS_LIMIT"}
    ],
    ids=lambda case: case.code,
)
def test_without_the_limit_the_same_entry_is_not_denied_for_it(desk, case):
    case.happens(desk)

    assert decided(desk, case).reason_code != case.code


def test_every_limit_has_a_refusal_here():
    names = {name for case in CASES for name in case.values}
    details = {each.name for each in LIMITS if each.name.endswith(("_minutes", "profit_percent"))}

    assert names | details == {each.name for each in LIMITS}
    assert {case.code for case in CASES} <= set(Denial)


class TestWithoutAnyLimit:
    @pytest.mark.parametrize(
        ("last", "status"), [("36363", IntentStatus.DENIED), ("36364", IntentStatus.ORDERED)]
    )
    def test_a_price_further_than_a_tenth_from_the_last_is_a_slip_of_the_finger(
        self, desk, last, status
    ):
        quote(desk, last=last)

        intent = decided(desk, CASES[6])

        assert intent.status == status
        assert intent.reason_code in {"", "PRICE_OUTSIDE_BAND"}

    def test_a_quote_of_yesterday_says_nothing(self, desk):
        quote(desk, last="20000")
        Quote.objects.update(recorded_at=desk.now - timedelta(seconds=61))

        assert decided(desk, CASES[6]).status == IntentStatus.ORDERED

    @pytest.mark.parametrize("values", [{"price_band_percent": "1"}, {"max_spread_bps": "9.9"}])
    def test_a_limit_that_no_quote_can_be_held_against_denies(self, desk, values):
        limit(desk, "account", values)

        assert decided(desk, CASES[6]).reason_code == "QUOTE_MISSING"

    @pytest.mark.parametrize(
        ("offset_ms", "status"),
        [(2_001, IntentStatus.DENIED), (2_000, IntentStatus.ORDERED)],
    )
    def test_a_clock_two_seconds_off_keeps_entries_away(self, desk, offset_ms, status):
        Venue.objects.update(clock_offset_ms=offset_ms)

        intent = decided(desk, CASES[6])

        assert intent.status == status


def test_of_several_limits_the_strictest_holds(desk):
    limit(desk, "person", {"price_band_percent": "1"})
    limit(desk, "deployment", {"price_band_percent": "50"})
    quote(desk, last="39600", bid="39599", ask="39601")

    assert decided(desk, CASES[6]).reason_code == "PRICE_OUTSIDE_BAND"


def test_a_loss_of_the_person_stops_what_is_theirs_and_nothing_of_others(desk):
    limit(desk, "person", {"max_daily_loss_percent": "4.9"})
    fall(desk)
    decided(desk, CASES[0])

    row = TradingRestriction.objects.get()

    assert (row.scope, row.owner_id, row.cause) == (
        "PERSON",
        desk.deployment.owner_id,
        "DAILY_LOSS",
    )


class TestTheDecisionOfABar:
    def cross(self, desk) -> str:
        """Let the averages cross at the close of a bar; return why nothing, or what, came of it."""
        end = Timeframe.M1.open_of(to_milliseconds(desk.now)) + 2 * MINUTE_MS
        closes = [40_000.0] * 26 + [39_500.0, 40_400.0]
        candles = exchange_factory.make_candles(
            closes, timeframe=Timeframe.M1, first_open_ms=end - len(closes) * MINUTE_MS
        )
        exchange_factory.store_candles(desk.instrument, Timeframe.M1, candles)
        desk.now = from_milliseconds(end) + timedelta(milliseconds=100)
        evaluation.evaluate_signal_group(group_id=SignalGroup.objects.get().pk, now=desk.now)
        own = DeploymentDecision.objects.filter(bar_close_at=from_milliseconds(end)).first()
        return "" if own is None else str(own.reason)

    def test_enters_without_a_limit(self, desk):
        assert self.cross(desk) == ""

        assert OrderIntent.objects.get().leg == Leg.ENTRY

    @pytest.mark.parametrize("scope", SCOPES)
    def test_is_the_code_of_the_limit(self, desk, scope):
        limit(desk, scope, {"exit_cooldown_minutes": "60"})
        lose(desk)
        decided_before = OrderIntent.objects.count()

        assert self.cross(desk) == "EXIT_COOLDOWN"

        assert OrderIntent.objects.count() == decided_before


def test_a_universe_on_paper_opens_nothing_while_its_owner_is_halted(memory_venue):
    universe = universes.make_universe(InstrumentKind.SPOT)
    # The first bars are enough: some market is ranked and bought in them.
    universe.grid = universe.grid[: universe.first + 8]
    deployment = universes.deploy(universe)
    restrictions.set_by_hand(
        target=restrictions.of_person(deployment.owner_id, name="P"),
        state="HALTED",
        reason="Odd.",
        by=Actor.person(deployment.owner_id),
        is_operator=False,
        now=universe.begins_at,
    )

    universes.feed(universe, memory_venue)

    assert not OrderIntent.objects.exists()
    reasons = set(DeploymentDecision.objects.values_list("reason", flat=True))
    assert "TRADING_HALTED" in reasons
    assert "ENTER_LONG" not in reasons
