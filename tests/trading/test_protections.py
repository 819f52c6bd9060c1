"""Limits: their arithmetic, and what they keep from being opened."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from foundation.audit import Actor
from market.enums import Leg, Side
from market.errors import InvalidInputError
from market.positions import Position, apply_fill
from market.timeframes import Timeframe, to_milliseconds
from strategies.reasons import ReasonCode
from tests.factories import exchanges as exchange_factory
from trading.domain import looking_back, protections
from trading.domain.protections import Exit, Limits, Standing
from trading.domain.trading_states import TradingState, allows, strictest
from trading.models import DeploymentPosition, IntentStatus, ProtectionMark, TradingRestriction
from trading.services import entry_limits, limits, restrictions

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
amounts = st.decimals(-50_000, 50_000, places=2)


def standing(**fields):
    values = {"capital": Decimal(10_000), "pnl": 0, "day_pnl": 0, "peak_pnl": 0} | fields
    return Standing(**{name: _exact(value) for name, value in values.items()})


def _exact(value):
    return Decimal(value) if isinstance(value, int) else value


def exits(*results, is_stop=False, minutes_apart=10):
    """Return exits of which the last was ten minutes ago."""
    last = NOW - timedelta(minutes=10)
    return [
        Exit(last - timedelta(minutes=minutes_apart) * back, Decimal(result), is_stop)
        for back, result in reversed(list(enumerate(reversed(results))))
    ]


class TestArithmetic:
    @given(pnl=amounts, since=amounts)
    def test_a_fall_is_nothing_to_all_and_grows_as_results_shrink(self, pnl, since):
        here = protections.drawdown_percent(standing(pnl=pnl, peak_pnl=since))
        worse = protections.drawdown_percent(standing(pnl=pnl - 1, peak_pnl=since))

        assert 0 <= here <= worse <= 100
        assert (here == 0) == (pnl >= since)

    @given(states=st.lists(st.sampled_from(TradingState)))
    def test_the_strictest_state_allows_what_all_allow(self, states):
        for reduce_only in (True, False):
            allowed = allows(strictest(states), reduce_only=reduce_only)
            assert allowed == all(allows(each, reduce_only=reduce_only) for each in states)

    @pytest.mark.parametrize(
        ("limit", "fields", "reason"),
        [
            ({"max_daily_loss_percent": Decimal(5)}, {"pnl": -500}, "DAILY_LOSS_LIMIT"),
            ({"max_daily_loss_percent": Decimal(5)}, {"pnl": -499}, None),
            (
                {"max_drawdown_percent": Decimal(10)},
                {"pnl": 0, "peak_pnl": 1_112},
                "DRAWDOWN_LIMIT",
            ),
            ({"max_drawdown_percent": Decimal(10)}, {"pnl": 0, "peak_pnl": 1_111}, None),
            ({"losing_streak_trades": 2}, {"exits": exits(5, -1, -1)}, "LOSING_STREAK"),
            ({"losing_streak_trades": 2}, {"exits": exits(-1, 5, -1)}, None),
            ({"losing_streak_trades": 2, "pause_minutes": 5}, {"exits": exits(-1, -1)}, None),
            ({"stop_guard_stops": 2}, {"exits": exits(-1, -1, is_stop=True)}, "STOP_GUARD"),
            ({"stop_guard_stops": 2}, {"exits": exits(-1, -1)}, None),
            (
                {"stop_guard_stops": 2, "stop_guard_window_minutes": 9},
                {"exits": exits(-1, -1, is_stop=True)},
                None,
            ),
            ({"low_profit_trades": 2}, {"exits_here": exits(4, -5)}, "LOW_PROFIT"),
            ({"low_profit_trades": 2}, {"exits_here": exits(5, -5)}, None),
            ({"exit_cooldown_minutes": 11}, {"exits_here": exits(1)}, "EXIT_COOLDOWN"),
            ({"exit_cooldown_minutes": 10}, {"exits_here": exits(1)}, None),
            ({"max_open_positions": 1}, {"open_positions": 1}, "OPEN_POSITIONS_LIMIT"),
            ({"max_open_orders": 1}, {"open_orders": 1}, "OPEN_ORDERS_LIMIT"),
            ({"max_exposure_percent": Decimal(50)}, {"exposure": 5_000}, "EXPOSURE_LIMIT"),
            ({"max_exposure_percent": Decimal(50)}, {"exposure": 4_999}, None),
            ({}, {"pnl": -9_999, "open_positions": 99, "exposure": 99_999}, None),
        ],
    )
    def test_each_limit_refuses_at_its_bound_and_not_before(self, limit, fields, reason):
        kept = {
            name: value if name.startswith(("exits", "open")) else Decimal(value)
            for name, value in fields.items()
        }

        assert protections.refusal(Limits(**limit), standing(**kept), now=NOW) == reason

    @given(st.decimals("0.01", 1_000_000, places=2), st.decimals("0.01", 1_000_000, places=2))
    def test_the_spread_is_never_negative_and_nothing_for_one_price(self, one, other):
        bid, ask = sorted((one, other))

        assert protections.spread_bps(bid=bid, ask=ask) >= 0
        assert protections.spread_bps(bid=bid, ask=bid) == 0


@pytest.mark.django_db
class TestAtWork:
    def test_nothing_is_asked_beyond_two_queries_while_nothing_is_limited(self, desk):
        with CaptureQueriesContext(connection) as captured:
            assert _look(desk) == {}

        asked = [each["sql"] for each in captured if each["sql"].startswith("SELECT")]
        assert len(asked) == 2

    def test_an_entry_beyond_the_exposure_is_denied_and_one_within_it_is_not(self, desk):
        _limit(desk, max_exposure_percent="30")
        large = desk.decide(quantity=Decimal("0.0751"))
        desk.submit()
        within = desk.decide(quantity=Decimal("0.075"))
        desk.submit()

        large.refresh_from_db()
        within.refresh_from_db()
        assert (large.status, large.reason_code) == (IntentStatus.DENIED, "EXPOSURE_LIMIT")
        assert within.status == IntentStatus.ORDERED

    def test_entries_of_one_turn_share_the_room(self, desk):
        _limit(desk, max_exposure_percent="30")
        first, second = desk.decide(quantity=Decimal("0.05")), desk.decide(quantity=Decimal("0.05"))
        desk.submit()

        first.refresh_from_db()
        second.refresh_from_db()
        assert first.status == IntentStatus.ORDERED
        assert second.status != IntentStatus.ORDERED

    def test_a_loss_of_the_day_counts_open_positions_and_lasts_until_it_is_let_go_on(self, desk):
        _limit(desk, max_daily_loss_percent="1")
        desk.enter()
        assert _look(desk) == {}
        held = DeploymentPosition.objects.filter(deployment=desk.deployment)
        held.update(last_price=Decimal(38_000))

        assert _look(desk) == {desk.deployment.pk: ReasonCode.DAILY_LOSS_LIMIT}

        held.update(last_price=Decimal(40_000))
        assert _look(desk) == {desk.deployment.pk: ReasonCode.DAILY_LOSS_LIMIT}
        row = TradingRestriction.objects.get()
        restrictions.release(
            restriction=row, note="Seen.", by=_me(desk), is_operator=False, now=desk.now
        )
        assert _look(desk) == {}
        assert ProtectionMark.objects.get().peak_pnl < 1

    def test_an_exit_passes_whatever_is_limited(self, desk):
        desk.enter()
        _limit(desk, max_open_positions="1", max_open_orders="1", exit_cooldown_minutes="60")
        leave = desk.decide(leg=Leg.EXIT, side=Side.SELL)
        for _ in range(3):
            desk.submit()

        leave.refresh_from_db()
        assert leave.status == IntentStatus.ORDERED
        assert _look(desk) == {desk.deployment.pk: ReasonCode.EXIT_COOLDOWN}

    def test_of_the_person_hold_for_all_their_deployments(self, desk):
        desk.enter()
        limits.save_limits(
            target=restrictions.of_person(desk.deployment.owner_id, name="P"),
            owner_id=desk.deployment.owner_id,
            values={"max_exposure_percent": "1"},
            by=_me(desk),
            now=desk.now,
        )

        assert _look(desk) == {desk.deployment.pk: ReasonCode.EXPOSURE_LIMIT}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("max_daily_loss_percent", "0", "out_of_range"),
        ("max_daily_loss_percent", "five", "not_a_number"),
        ("max_daily_loss_percent", "NaN", "not_a_number"),
        ("max_daily_loss_percent", "1.23456", "too_precise"),
        ("max_open_positions", "1.5", "not_whole"),
        ("max_open_positions", True, "not_a_number"),
        ("max_wishes", "1", "unknown_field"),
    ],
)
def test_a_limit_that_cannot_be_has_a_code(name, value, code):
    with pytest.raises(InvalidInputError) as refused:
        limits.checked_limits({name: value})

    assert [(each.field, each.code) for each in refused.value.problems] == [(name, code)]


def _limit(desk, **values):
    limits.save_limits(
        target=restrictions.of_deployment(desk.deployment),
        owner_id=desk.deployment.owner_id,
        values=values,
        by=_me(desk),
        now=desk.now,
    )


def _me(desk):
    return Actor.person(desk.deployment.owner_id)


def _look(desk):
    place = entry_limits.place_of(desk.deployment, instrument=desk.instrument, is_paper=False)
    with transaction.atomic():
        seen = entry_limits.look([place], now=desk.now)
    return {deployment_id: reason for (deployment_id, _), reason in seen.refused.items()}


executions = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.decimals("0.001", 5, places=3),
        st.decimals(1, 100, places=2),
        st.decimals(0, 1, places=3),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


class TestThePast:
    @given(made=executions, marks=st.lists(st.decimals(1, 100, places=2), min_size=9, max_size=9))
    def test_is_what_the_position_was_when_it_is_looked_at_from_the_present(self, made, marks):
        instants = [NOW + timedelta(minutes=number) for number in range(len(made) + 1)]
        position, then, changes = Position.flat(), [], []
        for number, instant in enumerate(instants):
            held = position.quantity * (marks[number] - position.average_price)
            then.append(position.net_realized_pnl + held)
            if number == len(made):
                break
            side, quantity, price, fee, is_base = made[number]
            in_base = fee * quantity / 10 if is_base else Decimal(0)
            in_quote = Decimal(0) if is_base else fee
            position = apply_fill(
                position,
                side=side,
                quantity=quantity,
                price=price,
                fee=in_quote,
                fee_in_base=in_base,
            )
            changes.append(
                looking_back.change_of(
                    at=instant + timedelta(seconds=1),
                    side=side,
                    quantity=quantity,
                    price=price,
                    fee_in_quote=in_quote + in_base * price,
                    fee_in_base=in_base,
                )
            )

        back = looking_back.results_back(
            instants,
            changes,
            held=position.quantity,
            price=marks[len(made)],
            net=then[-1],
            price_at=dict(zip(instants, marks, strict=False)),
        )

        for was, found in zip(then, back, strict=True):
            assert abs(was - found) < Decimal("1e-12")


@pytest.mark.django_db
class TestLossesThatNobodyHasLookedAt:
    @pytest.fixture
    def noon(self, desk):
        """The desk at noon of tomorrow, with a market at 40,000 until it falls to 38,000 at eleven."""
        day = (desk.now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        closes = [40_000.0] * (13 * 60) + [38_000.0] * 60
        candles = exchange_factory.make_candles(
            closes,
            timeframe=Timeframe.M1,
            first_open_ms=to_milliseconds(day - timedelta(hours=2)),
        )
        exchange_factory.store_candles(desk.instrument, Timeframe.M1, candles)
        desk.enter()
        DeploymentPosition.objects.update(last_price=Decimal(38_000))
        desk.now = day + timedelta(hours=12)

    def test_count_from_the_start_of_the_day_at_a_late_first_look(self, desk, noon):
        _limit(desk, max_daily_loss_percent="1.9")

        assert _look(desk) == {desk.deployment.pk: ReasonCode.DAILY_LOSS_LIMIT}
        mark = ProtectionMark.objects.get()
        assert (mark.day_on, mark.looked_at) == (desk.now.date(), desk.now)
        fee = DeploymentPosition.objects.get().fees
        assert mark.day_pnl == -fee

    def test_are_no_more_than_they_were(self, desk, noon):
        _limit(desk, max_daily_loss_percent="2.1")

        assert _look(desk) == {}

    def test_count_after_a_pause_of_the_platform_too(self, desk, noon):
        _limit(desk, max_drawdown_percent="1.9")
        # The last look was at half past midnight, and all that was better came after it.
        ProtectionMark.objects.create(
            target_key=restrictions.of_deployment(desk.deployment).key,
            currency="USDT",
            owner=desk.deployment.owner,
            day_on=desk.now.date(),
            day_pnl=-400,
            peak_pnl=-400,
            looked_at=desk.now - timedelta(hours=11, minutes=30),
        )

        assert _look(desk) == {desk.deployment.pk: ReasonCode.DRAWDOWN_LIMIT}

    def test_begin_anew_where_somebody_has_let_it_go_on(self, desk, noon):
        _limit(desk, max_daily_loss_percent="1.9")
        _look(desk)
        restrictions.release(
            restriction=TradingRestriction.objects.get(),
            note="Seen.",
            by=_me(desk),
            is_operator=False,
            now=desk.now,
        )
        desk.later(60)

        assert _look(desk) == {}
