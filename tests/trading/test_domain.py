"""The pure part: keys, sizes, staleness, and reports in any order."""

import string
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from market.enums import Leg, OrderActor, OrderStatus, OrderType, Side
from market.matching import Bar
from market.orders import KernelOrder, is_permitted
from market.positions import Position
from market.timeframes import Timeframe
from strategies.reasons import ReasonCode
from strategies.signals import SignalRow
from trading.domain import absence, kernel, keys, reports, sizing, staleness
from trading.domain.absence import Holding
from trading.domain.sizing import TradingSteps

STEPS = TradingSteps(
    tick_size=Decimal("0.01"),
    lot_step=Decimal("0.00001"),
    minimum_quantity=Decimal("0.00001"),
    minimum_notional=Decimal(5),
)
DEPLOYMENT = UUID(int=7)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class TestKeys:
    def test_an_order_has_the_same_id_after_a_crash_or_a_restore(self):
        ids = {
            keys.client_order_id(salt="s", deployment=DEPLOYMENT, decision="d", attempt=0)
            for _ in range(3)
        }

        assert len(ids) == 1

    @given(
        st.lists(
            st.tuples(st.text(max_size=8), st.uuids(), st.text(max_size=30), st.integers(0, 9)),
            unique=True,
            min_size=2,
            max_size=20,
        )
    )
    def test_different_orders_have_different_ids_of_32_hex_digits(self, orders):
        ids = {
            keys.client_order_id(salt=salt, deployment=deployment, decision=key, attempt=attempt)
            for salt, deployment, key, attempt in orders
            if "|" not in salt + key
        }

        assert len(ids) == len([1 for salt, _, key, _ in orders if "|" not in salt + key])
        assert all(len(each) == 32 and set(each) <= set(string.hexdigits.lower()) for each in ids)

    def test_a_decision_is_named_by_revision_instrument_bar_action_and_leg(self):
        key = keys.decision_key(revision_id=1, instrument_id=2, bar_close_ms=3, leg=Leg.STOP)

        assert key == "1|2|3|EXIT|STOP"


class TestStaleness:
    @pytest.mark.parametrize(
        ("timeframe", "seconds"),
        [(Timeframe.S1, 15), (Timeframe.M1, 60), (Timeframe.H1, 60), (Timeframe.D1, 60)],
    )
    def test_a_bar_may_be_entered_on_for_its_own_length_between_15_and_60_seconds(
        self, timeframe, seconds
    ):
        def stale(after: float) -> bool:
            now = NOON + timedelta(seconds=after)
            return staleness.is_stale(NOON, timeframe, now=now, stale_s=15, cap_s=60)

        assert not stale(seconds)
        assert stale(seconds + 0.001)


class TestSizing:
    @given(
        own=st.decimals(0, 100, places=8),
        free=st.none() | st.decimals(0, 100, places=8),
    )
    def test_nothing_is_sold_that_is_not_ours_or_not_free(self, own, free):
        quantity = sizing.sellable(own=own, free=free, steps=STEPS)

        assert quantity <= own
        assert free is None or quantity <= free
        assert quantity % STEPS.lot_step == 0

    def test_dust_is_what_no_order_can_close(self):
        assert not sizing.is_tradable(Decimal("0.000009"), price=Decimal(40_000), steps=STEPS)
        assert not sizing.is_tradable(Decimal("0.0001"), price=Decimal(40_000), steps=STEPS)
        assert sizing.is_tradable(Decimal("-0.00013"), price=Decimal(40_000), steps=STEPS)

    def test_a_buy_sets_aside_its_worth_with_fee_and_margin(self):
        amount = sizing.reservation(
            Decimal("0.1"), price=Decimal(40_000), fee_bps=Decimal(10), margin_bps=Decimal(50)
        )

        assert amount == Decimal(4_024)


class TestKernel:
    @given(
        lots=st.integers(1, 10**12),
        ticks=st.integers(1, 10**9),
        kind=st.sampled_from([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LOSS]),
    )
    def test_an_order_survives_the_way_through_decimals(self, lots, ticks, kind):
        price = 0 if kind is OrderType.MARKET else ticks
        order = KernelOrder(Leg.ENTRY, Side.BUY, kind, lots, price, stop_percent=2.0)

        values = kernel.to_intent_values(order, steps=STEPS)

        assert kernel.to_kernel_order(values, steps=STEPS) == order

    def test_dust_counts_as_no_position(self):
        position = Position(Decimal("0.00012"), Decimal(40_000), Decimal(3), Decimal(1))

        state = kernel.state_of(
            position,
            capital=Decimal(1_000),
            marks={},
            awaits_venue=False,
            price=Decimal(40_000),
            steps=STEPS,
        )

        assert (state.lots, state.cash) == (0, 1_002.0)

    @pytest.mark.parametrize(
        ("low", "high", "stop_rests", "expected"),
        [
            (99.0, 105.0, True, ReasonCode.TARGET_HIT),
            (99.0, 103.9, True, None),
            (97.0, 101.0, True, None),
            (97.0, 101.0, False, ReasonCode.STOP_HIT),
            (97.0, 105.0, False, ReasonCode.STOP_HIT),
        ],
    )
    def test_levels_are_watched_where_nothing_rests(self, low, high, stop_rests, expected):
        bar = Bar(0, 100.0, high, low, 100.0)

        found = kernel.watched_exit(bar, lots=5, stop=98.0, target=104.0, stop_rests=stop_rests)

        assert found is expected

    @pytest.mark.parametrize(
        ("signal", "expected"),
        [
            (SignalRow(ready=False, enter_long=True), ReasonCode.WARMING_UP),
            (SignalRow(enter_long=True), ReasonCode.ENTER_LONG),
            (SignalRow(enter_short=True), ReasonCode.SHORT_NOT_ALLOWED),
            (SignalRow(enter_long=True, enter_short=True), ReasonCode.NO_SIGNAL),
            (SignalRow(), ReasonCode.NO_SIGNAL),
        ],
    )
    def test_a_group_says_what_holds_for_somebody_who_holds_nothing(self, signal, expected):
        assert kernel.group_reason(signal, short_allowed=False) is expected


class TestAbsence:
    @pytest.mark.parametrize(
        ("lookups", "seconds", "expected"),
        [(5, 600, False), (6, 59, False), (6, 60, True)],
    )
    def test_takes_six_lookups_and_time(self, lookups, seconds, expected):
        found = absence.is_absent(
            submitted_at=NOON,
            lookups=lookups,
            now=NOON + timedelta(seconds=seconds),
            horizon_s=60,
        )

        assert found is expected

    @pytest.mark.parametrize(
        ("now", "booked", "moves"),
        [
            ("1", "0", False),
            ("1.00004", "0", False),
            ("1.0001", "0", True),
            ("0.9999", "0", True),
            ("1.5", "0.5", False),
            # A venue rounds its fees as it likes.
            ("1.4996", "0.5", False),
            ("1", "0.5", True),
        ],
    )
    def test_balances_that_moved_without_a_fill_of_ours_contradict_it(self, now, booked, moves):
        holding = Holding(
            before=Decimal(1),
            booked=Decimal(booked),
            traded=Decimal(booked),
            now=Decimal(now),
            least=Decimal("0.0001"),
        )

        assert holding.has_moved is moves


class OrderReports(RuleBasedStateMachine):
    """An order at a venue and ours, told of it late, twice, in any order and in parts.

    Every step is held against the table of ``market.orders``: who took it, and whether they may.
    """

    QUANTITY = 4

    def __init__(self) -> None:
        super().__init__()
        self.there = OrderStatus.ACCEPTED
        self.filled_there = 0
        self.here = OrderStatus.SUBMITTING
        self.filled_here = 0
        self.told: list[tuple[OrderStatus, int]] = [(OrderStatus.ACCEPTED, 0)]

    def _move(self, step: reports.Step, actor: OrderActor) -> None:
        assert not step.contradiction
        if step.status is not None:
            assert is_permitted(self.here, step.status, actor=actor)
            self.here = step.status

    def _go(self, to: OrderStatus, actor: OrderActor) -> None:
        if is_permitted(self.here, to, actor=actor):
            self.here = to

    @rule()
    def it_fills_a_part(self) -> None:
        if self.there in {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}:
            self.filled_there += 1
            full = self.filled_there == self.QUANTITY
            self.there = OrderStatus.FILLED if full else OrderStatus.PARTIALLY_FILLED
            self.told.append((self.there, self.filled_there))

    @rule()
    def it_is_canceled(self) -> None:
        if self.there in {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}:
            self.there = OrderStatus.CANCELED
            self.told.append((self.there, self.filled_there))

    @rule()
    def the_answer_is_lost(self) -> None:
        self._go(OrderStatus.UNKNOWN, OrderActor.SUBMITTER)

    @rule()
    def it_is_given_up_too_early(self) -> None:
        self._go(OrderStatus.ABANDONED, OrderActor.RECONCILER)

    @rule(by=st.sampled_from([OrderActor.USER, OrderActor.STRATEGY, OrderActor.KILL_SWITCH]))
    def we_ask_to_cancel(self, by: OrderActor) -> None:
        self._go(OrderStatus.PENDING_CANCEL, by)

    @rule(pick=st.integers(0, 50))
    def an_answer_to_our_call_arrives(self, pick: int) -> None:
        reported, filled = self.told[pick % len(self.told)]
        actor = reports.speaker(self.here)
        if actor is not None:
            self._report(reported, filled, actor)

    @rule(pick=st.integers(0, 50))
    def we_look_it_up_in_a_stale_list(self, pick: int) -> None:
        reported, filled = self.told[pick % len(self.told)]
        self._report(reported, filled, OrderActor.RECONCILER, is_recent=True)

    @rule()
    def a_fill_arrives(self) -> None:
        self._fill(reports.speaker(self.here))

    @rule()
    def we_find_a_fill(self) -> None:
        self._fill(OrderActor.RECONCILER)

    @invariant()
    def what_we_say_is_borne_out_by_fills(self) -> None:
        assert self.here is not OrderStatus.MANUAL_REVIEW
        assert (self.here is OrderStatus.FILLED) == (self.filled_here == self.QUANTITY)

    def teardown(self) -> None:
        # Whatever was told, and by whom: reconciled it ends where the venue has it.
        self._go(OrderStatus.UNKNOWN, OrderActor.RECONCILER)
        while self.filled_here < self.filled_there:
            self._fill(OrderActor.RECONCILER)
        self._report(self.there, self.filled_there, OrderActor.RECONCILER)
        resting = {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}
        if self.there in resting:
            assert self.here in resting | {OrderStatus.PENDING_CANCEL}
        else:
            assert self.here is self.there

    def _fill(self, actor: OrderActor | None) -> None:
        if actor is not None and self.filled_here < self.filled_there:
            self.filled_here += 1
            step = reports.step_for_fill(
                self.here,
                quantity=Decimal(self.QUANTITY),
                filled=Decimal(self.filled_here),
                actor=actor,
            )
            self._move(step, actor)

    def _report(
        self, reported: OrderStatus, filled: int, actor: OrderActor, *, is_recent: bool = False
    ) -> None:
        step = reports.step_for_report(
            self.here,
            quantity=Decimal(self.QUANTITY),
            filled=Decimal(self.filled_here),
            reported=reported,
            reported_filled=Decimal(filled),
            actor=actor,
            is_recent=is_recent,
        )
        self._move(step, actor)


TestOrderReports = OrderReports.TestCase


class TestContradictions:
    @pytest.mark.parametrize(
        ("current", "filled"),
        [(OrderStatus.FILLED, "1.1"), (OrderStatus.ACCEPTED, "1.1"), (OrderStatus.REJECTED, "0.1")],
    )
    def test_a_fill_that_cannot_be_is_for_a_person_to_look_at(self, current, filled):
        step = reports.step_for_fill(
            current, quantity=Decimal(1), filled=Decimal(filled), actor=OrderActor.VENUE
        )

        assert step.contradiction

    @pytest.mark.parametrize("current", [OrderStatus.CANCELED, OrderStatus.REJECTED])
    def test_what_is_over_with_us_and_rests_there_is_one_unless_the_list_may_be_older(
        self, current
    ):
        def heard(*, is_recent: bool) -> reports.Step:
            return reports.step_for_report(
                current,
                quantity=Decimal(1),
                filled=Decimal(0),
                reported=OrderStatus.ACCEPTED,
                reported_filled=Decimal(0),
                actor=OrderActor.RECONCILER,
                is_recent=is_recent,
            )

        assert heard(is_recent=False).contradiction
        assert heard(is_recent=True) == reports.Step(None)

    def test_only_an_operator_ends_a_review(self):
        for reported in OrderStatus:
            step = reports.step_for_report(
                OrderStatus.MANUAL_REVIEW,
                quantity=Decimal(1),
                filled=Decimal(1),
                reported=reported,
                reported_filled=Decimal(1),
                actor=OrderActor.RECONCILER,
            )

            assert step == reports.Step(None)
