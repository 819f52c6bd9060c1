"""Each cause of a difference between a deployment and its replay has its own column, to the last digit."""

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market import money
from market.enums import Side
from trading.domain.drift_columns import COLUMNS, attribute, totals
from trading.domain.drift_trades import Execution, Payment, round_trips

SYMBOL = "BTC/USDT"
MINUTE = 60_000
END = 100 * MINUTE
MARKS = {SYMBOL: Decimal(130), "ETH/USDT": Decimal(7)}
STEPS = {SYMBOL: Decimal("0.01"), "ETH/USDT": Decimal("0.01")}
#: The first price of each bar: it rises by one a minute.
FIRST_PRICE = Decimal(100)


def reference(symbol: str, at_ms: int) -> Decimal | None:
    return MARKS[symbol] if at_ms >= END else FIRST_PRICE + at_ms // MINUTE


def fill(
    minute: float,
    side: Side,
    price: str,
    *,
    quantity: str = "2",
    fee: str = "0.5",
    decided: int | None = None,
    ordered: str | None = None,
    by_hand: bool = False,
    lost: str = "0",
    order: str = "",
) -> Execution:
    at_ms = int(minute * MINUTE)
    return Execution(
        symbol=SYMBOL,
        at_ms=at_ms,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        decided_ms=at_ms // MINUTE * MINUTE if decided is None else decided * MINUTE,
        order=order or f"{minute} {side}",
        ordered=Decimal(ordered or quantity),
        by_hand=by_hand,
        lost=Decimal(lost),
    )


#: The replay buys 2 at 101 and sells them at 109: 16, less 1 of fees, is 15.
REPLAY = [fill(1, Side.BUY, "101"), fill(9, Side.SELL, "109")]


def columns(live, *, replay=REPLAY, refused=(), payments=()) -> dict[str, Decimal]:
    """Return the columns that are not 0, after a look at their sum."""
    own = round_trips(live, marks=MARKS, steps=STEPS, end_ms=END, payments=payments)
    twin = round_trips(replay, marks=MARKS, steps=STEPS, end_ms=END)
    paired = attribute(
        own,
        twin,
        bar_ms=MINUTE,
        reference=reference,
        was_refused=lambda symbol, close_ms: (symbol, close_ms) in refused,
    )
    found = totals(paired)
    assert sum(found.values()) == sum(each.pnl for each in own) - sum(each.pnl for each in twin)
    return {name: amount for name, amount in found.items() if amount}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(REPLAY, {}, id="nothing"),
        pytest.param([], {"missed": "-15"}, id="missed"),
        # Three minutes later it was dearer by 3.
        pytest.param([fill(4, Side.BUY, "104", decided=1), REPLAY[1]], {"late": "-6"}, id="late in"),
        pytest.param([REPLAY[0], fill(12, Side.SELL, "112", decided=9)], {"late": "6"}, id="late out"),
        pytest.param(
            [fill(1, Side.BUY, "101", quantity="1", fee="0.25"),
             fill(9, Side.SELL, "109", quantity="1", fee="0.25")],
            {"size": "-7.5"},
            id="size",
        ),
        pytest.param(
            [fill(1, Side.BUY, "101", quantity="1", ordered="2", fee="0.25"),
             fill(9, Side.SELL, "109", quantity="1", fee="0.25")],
            {"partial": "-7.5"},
            id="partial",
        ),
        pytest.param(
            [fill(1.2, Side.BUY, "101.3"), fill(9.1, Side.SELL, "108.9")],
            {"slippage": "-0.8"},
            id="slippage",
        ),
        pytest.param(
            [fill(1, Side.BUY, "101", fee="0.7"), REPLAY[1]], {"fees": "-0.2"}, id="fees"
        ),
        pytest.param(
            [REPLAY[0], fill(5, Side.SELL, "103", by_hand=True)], {"manual": "-12"}, id="manual"
        ),
        pytest.param(
            [*REPLAY, fill(20, Side.BUY, "120"), fill(22, Side.SELL, "122")],
            {"residual": "3"},
            id="not of the replay",
        ),
    ],
)  # fmt: skip
def test_a_single_cause_has_its_column_to_itself(live, expected):
    assert columns(live) == {name: Decimal(amount) for name, amount in expected.items()}


def test_an_entry_that_was_refused_is_a_halt_and_no_miss():
    assert columns([], refused={(SYMBOL, MINUTE)}) == {"halts": Decimal(-15)}


def test_funding_is_compared_for_what_was_filled():
    own, twin = (
        round_trips(REPLAY, marks=MARKS, steps=STEPS, end_ms=END) for _ in ("live", "replay")
    )
    paid = [replace(own[0], funding=Decimal("0.3"), pnl=own[0].pnl - Decimal("0.3"))]

    (pair,) = attribute(
        paid, twin, bar_ms=MINUTE, reference=reference, was_refused=lambda *_: False
    )

    assert {name: each for name, each in pair.columns.items() if each} == {
        "funding": Decimal("-0.3")
    }


def test_what_is_open_on_both_sides_is_valued_at_the_same_price():
    assert columns(REPLAY[:1], replay=REPLAY[:1]) == {}
    # Left open for 91 minutes: the market had gone from 109 to 130.
    assert columns(REPLAY[:1]) == {"late": Decimal(42), "fees": Decimal("0.5")}


def test_a_fee_in_base_is_a_fee():
    taken = fill(1, Side.BUY, "101", fee="2.02", lost="0.02")
    (trip,) = round_trips(
        [taken, fill(9, Side.SELL, "109", quantity="1.98")], marks=MARKS, steps=STEPS, end_ms=END
    )

    assert trip.pnl == Decimal("1.98") * 109 - 2 * 101 - Decimal("0.5")
    assert trip.fees == Decimal("2.52")
    assert not trip.is_open


def test_a_fill_that_turns_a_position_round_ends_one_trade_and_begins_another():
    trips = round_trips(
        [fill(1, Side.BUY, "101"), fill(5, Side.SELL, "105", quantity="5", fee="1")],
        marks=MARKS,
        steps=STEPS,
        end_ms=END,
    )

    assert [(each.direction, each.quantity, each.fees, each.pnl) for each in trips] == [
        (1, Decimal(2), Decimal("0.9"), Decimal("7.1")),
        (-1, Decimal(3), Decimal("0.6"), Decimal("-75.6")),
    ]


AMOUNTS = st.decimals("0.01", "1000", places=18)
EXECUTIONS = st.lists(
    st.builds(
        Execution,
        symbol=st.sampled_from(sorted(MARKS)),
        at_ms=st.integers(0, END - 1),
        side=st.sampled_from(Side),
        quantity=AMOUNTS,
        price=AMOUNTS,
        fee=st.decimals("0", "5", places=18),
        decided_ms=st.integers(0, END - 1),
        order=st.sampled_from("abc"),
        ordered=AMOUNTS,
        by_hand=st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(EXECUTIONS, EXECUTIONS)
def test_columns_always_add_up_to_the_difference_of_the_results(first, second):
    live, replay = (
        round_trips(sorted(each, key=lambda one: one.at_ms), marks=MARKS, steps=STEPS, end_ms=END)
        for each in (first, second)
    )

    paired = attribute(
        live, replay, bar_ms=MINUTE, reference=reference, was_refused=lambda *_: False
    )

    with localcontext(money.WIDE):
        assert sum(totals(paired).values()) == sum(each.pnl for each in live) - sum(
            each.pnl for each in replay
        )
        for pair in paired:
            assert set(pair.columns) == set(COLUMNS)
            assert sum(pair.columns.values()) == pair.difference


@settings(max_examples=60, deadline=None)
@given(EXECUTIONS)
def test_trades_are_worth_what_was_taken_in_less_what_was_paid(executions):
    executions = sorted(executions, key=lambda one: one.at_ms)
    trips = round_trips(executions, marks=MARKS, steps=STEPS, end_ms=END)

    with localcontext(money.WIDE):
        worth = Decimal(0)
        for each in executions:
            signed = each.quantity if each.side is Side.BUY else -each.quantity
            worth += signed * (MARKS[each.symbol] - each.price) - each.fee
        assert abs(sum(trip.pnl for trip in trips) - worth) <= len(trips) * money.MONEY_QUANTUM


def test_what_fundings_took_while_it_was_open_is_a_column_of_its_own():
    paid = [
        Payment(SYMBOL, 0, Decimal(-100)),
        Payment(SYMBOL, 2 * MINUTE, Decimal("-1.5")),
        Payment(SYMBOL, 3 * MINUTE, Decimal("0.25")),
        Payment("ETH/USDT", 3 * MINUTE, Decimal(-100)),
        # Nothing was held any more.
        Payment(SYMBOL, 9 * MINUTE, Decimal(-100)),
    ]

    assert columns(REPLAY, payments=paid) == {"funding": Decimal("-1.25")}


def test_a_payment_belongs_to_the_trade_that_a_turn_has_begun():
    turned = [fill(1, Side.BUY, "101"), fill(5, Side.SELL, "105", quantity="4")]
    payments = [Payment(SYMBOL, 5 * MINUTE, Decimal(2))]

    first, second = round_trips(turned, marks=MARKS, steps=STEPS, end_ms=END, payments=payments)

    assert (first.funding, second.funding) == (Decimal(0), Decimal(-2))
