"""Why a deployment earned something else than its replay: each difference in the column of its cause.

Trades are paired by market, direction and the close at which they were decided. Of a pair, attributes
of the replay are exchanged for those of the deployment one after the other; what each exchange changes
is its column, and what no exchange explains is the residual, so that the columns always add up:

* ``size``: another quantity was ordered, everything else as in the replay;
* ``partial``: less than that was filled;
* ``late``: it filled more than a bar later than in the replay: how far the market had gone by then;
* ``slippage``: the rest of the difference between the prices;
* ``fees`` and ``funding``: other charges on the quantity that was filled;
* ``manual``: closed by hand instead of by the strategy.

A trade that only the replay made is ``halts`` if something of ours refused the entry at that close, and
``missed`` otherwise. One that only the deployment made is in the residual.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

from market import money
from trading.domain.drift_trades import RoundTrip

#: In the order of the tables.
COLUMNS: Final = (
    "missed",
    "halts",
    "late",
    "size",
    "partial",
    "slippage",
    "fees",
    "funding",
    "manual",
    "residual",
)

#: The first price of a market's bar at an instant (ms), None if it has no bar then.
Reference = Callable[[str, int], Decimal | None]

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class PairedTrade:
    """A trade of the deployment, of its replay, or of both, with the columns of their difference."""

    live: RoundTrip | None
    replay: RoundTrip | None
    columns: Mapping[str, Decimal]

    @property
    def difference(self) -> Decimal:
        """What the deployment earned more than its replay: the sum of the columns."""
        with localcontext(money.WIDE):
            return _pnl(self.live) - _pnl(self.replay)


def attribute(
    live: Sequence[RoundTrip],
    replay: Sequence[RoundTrip],
    *,
    bar_ms: int,
    reference: Reference,
    was_refused: Callable[[str, int], bool],
) -> list[PairedTrade]:
    """Return the trades of both sides in pairs, in the order of time.

    *bar_ms* is the length of a bar; *was_refused* tells whether something of ours refused an entry
    into a market at a close.
    """
    with localcontext(money.WIDE):
        paired = []
        for own, twin in _pairs(live, replay, bar_ms):
            if own is not None and twin is not None:
                columns = _of_pair(own, twin, bar_ms, reference)
            elif twin is not None:
                refused = was_refused(twin.symbol, twin.decided_ms)
                columns = {"halts" if refused else "missed": -twin.pnl}
            else:
                columns = {"residual": _pnl(own)}
            paired.append(
                PairedTrade(own, twin, {name: columns.get(name, _ZERO) for name in COLUMNS})
            )
    return paired


def totals(paired: Iterable[PairedTrade]) -> dict[str, Decimal]:
    """Return the sum of each column."""
    found = dict.fromkeys(COLUMNS, _ZERO)
    with localcontext(money.WIDE):
        for pair in paired:
            for name, amount in pair.columns.items():
                found[name] += amount
    return found


def _pairs(
    live: Sequence[RoundTrip], replay: Sequence[RoundTrip], bar_ms: int
) -> list[tuple[RoundTrip | None, RoundTrip | None]]:
    free = list(live)
    found: list[tuple[RoundTrip | None, RoundTrip | None]] = []
    for twin in replay:
        own = next((each for each in free if _is_same(each, twin, bar_ms)), None)
        if own is not None:
            free.remove(own)
        found.append((own, twin))
    found += [(own, None) for own in free]
    return sorted(found, key=_entry_of)


def _entry_of(pair: tuple[RoundTrip | None, RoundTrip | None]) -> tuple[int, str]:
    trips = [trip for trip in pair if trip is not None]
    return min(trip.entry_ms for trip in trips), trips[0].symbol


def _is_same(own: RoundTrip, twin: RoundTrip, bar_ms: int) -> bool:
    """Tell whether both go back to one decision.

    An entry of the replay that rested has filled between the decision and the fill of the other;
    a venue may fill it a bar earlier than bars tell.
    """
    if (own.symbol, own.direction) != (twin.symbol, twin.direction):
        return False
    return own.decided_ms <= twin.entry_ms <= max(own.entry_ms, own.decided_ms) + bar_ms


def _of_pair(
    own: RoundTrip, twin: RoundTrip, bar_ms: int, reference: Reference
) -> dict[str, Decimal]:
    quantity = own.quantity

    def scaled(amount: Decimal, to: Decimal) -> Decimal:
        return money.quantize_money(amount * to / twin.quantity)

    meant = _meant(own, twin)
    late_in, slip_in = _price_columns(
        (own.entry_price, own.entry_ms), (twin.entry_price, twin.entry_ms), own.symbol, bar_ms,
        reference,
    )  # fmt: skip
    late_out, slip_out, manual = _ZERO, _ZERO, _ZERO
    if own.by_hand:
        manual = own.exit_price - twin.exit_price
    else:
        late_out, slip_out = _price_columns(
            (own.exit_price, own.exit_ms), (twin.exit_price, twin.exit_ms), own.symbol, bar_ms,
            reference,
        )  # fmt: skip
    signed = own.direction * quantity
    columns = {
        "size": scaled(twin.pnl, meant) - twin.pnl,
        "partial": scaled(twin.pnl, quantity) - scaled(twin.pnl, meant),
        "late": money.quantize_money(signed * (late_out - late_in)),
        "slippage": money.quantize_money(signed * (slip_out - slip_in)),
        "fees": scaled(twin.fees, quantity) - own.fees,
        "funding": scaled(twin.funding, quantity) - own.funding,
        "manual": money.quantize_money(signed * manual),
    }
    columns["residual"] = own.pnl - twin.pnl - sum(columns.values(), _ZERO)
    return columns


def _meant(own: RoundTrip, twin: RoundTrip) -> Decimal:
    """Return the quantity that was to be filled: that of the orders, as far as it can explain anything.

    An order for more than the replay filled may be cut in both worlds by what the wallet could pay.
    """
    if own.ordered <= twin.quantity:
        return own.ordered
    return max(twin.quantity, own.quantity)


def _price_columns(
    own: tuple[Decimal, int],
    twin: tuple[Decimal, int],
    symbol: str,
    bar_ms: int,
    reference: Reference,
) -> tuple[Decimal, Decimal]:
    """Return how much of the difference of two prices is the market's move in between, and the rest.

    Only what came more than a bar later counts as late. What came as much earlier has its move in
    neither, and so in the residual.
    """
    (price, at_ms), (other, other_ms) = own, twin
    if abs(at_ms - other_ms) <= bar_ms:
        return _ZERO, price - other
    here, there = reference(symbol, at_ms), reference(symbol, other_ms)
    if here is None or there is None:
        return _ZERO, _ZERO
    slipped = (price - here) - (other - there)
    return (here - there if at_ms > other_ms else _ZERO), slipped


def _pnl(trip: RoundTrip | None) -> Decimal:
    return _ZERO if trip is None else trip.pnl
