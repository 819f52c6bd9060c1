"""What deployments had earned at instants of the past, from their executions and stored candles."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
from django.db.models import F

from exchanges.selectors import candles
from market import money
from market.enums import Side
from market.timeframes import Timeframe, to_milliseconds
from trading.domain import looking_back
from trading.domain.looking_back import Change
from trading.models import Fill, FundingPayment

_NOTHING: Final = Decimal(0)

#: A close is looked for so many bars before the first instant.
_BARS_BEFORE: Final = 3

#: The last close before each instant, by instrument, timeframe and the instants that were asked for.
Closes = dict[tuple[int, str, tuple[datetime, ...]], dict[datetime, Decimal]]


def results_at(
    instants: Sequence[datetime],
    *,
    positions: Mapping[int, Sequence[Mapping[str, Any]]],
    timeframes: Mapping[int, str],
    known: Closes,
    now: datetime,
) -> list[Decimal]:
    """Return the net result of deployments together at each instant, open positions included.

    Parameters
    ----------
    instants
        In the past, oldest first.
    positions
        By deployment, what it holds and has earned until *now*, as ``standings`` reads them: the
        instrument, the quantity, its price and the net result.
    timeframes
        By deployment; closes are those of its own bars.
    known
        Closes of former calls, added to: deployments of one market share what is read.

    Notes
    -----
    Where no close is stored the present price counts.
    """
    if not instants or not positions:
        return [_NOTHING] * len(instants)
    changes = _changes(positions, since=instants[0])
    totals = [_NOTHING] * len(instants)
    for deployment_id, rows in positions.items():
        for row in rows:
            place = (deployment_id, row["instrument_id"])
            held: Decimal = row["quantity"]
            series = (row["instrument_id"], timeframes[deployment_id], tuple(instants))
            if series not in known:
                known[series] = _closes_of(*series, now=now)
            back = looking_back.results_back(
                instants,
                changes.get(place, ()),
                held=held,
                price=row["price"],
                net=row["net"],
                price_at=known[series],
            )
            totals = [total + result for total, result in zip(totals, back, strict=True)]
    return totals


def _changes(
    deployments: Collection[int], *, since: datetime
) -> dict[tuple[int, int], list[Change]]:
    found: dict[tuple[int, int], list[Change]] = defaultdict(list)
    rows = Fill.objects.filter(deployment_id__in=deployments, venue_at__gt=since).values(
        "deployment_id",
        "instrument_id",
        "side",
        "quantity",
        "price",
        "fee",
        "fee_currency",
        "fee_in_quote",
        "venue_at",
        base=F("instrument__base"),
    )
    for row in rows:
        is_base = row["fee_currency"] == row["base"]
        change = looking_back.change_of(
            at=row["venue_at"],
            side=Side(row["side"]),
            quantity=row["quantity"],
            price=row["price"],
            fee_in_quote=row["fee_in_quote"] or _NOTHING,
            fee_in_base=row["fee"] if is_base else _NOTHING,
        )
        found[row["deployment_id"], row["instrument_id"]].append(change)
    payments = FundingPayment.objects.filter(deployment_id__in=deployments, paid_at__gt=since)
    for deployment_id, instrument_id, at, amount in payments.values_list(
        "deployment_id", "instrument_id", "paid_at", "amount"
    ):
        found[deployment_id, instrument_id].append(Change(at, _NOTHING, amount))
    return found


def _closes_of(
    instrument_id: int, code: str, instants: Sequence[datetime], *, now: datetime
) -> dict[datetime, Decimal]:
    timeframe = Timeframe(code)
    bars = candles.load_candles(
        instrument_id=instrument_id,
        timeframe=timeframe,
        from_ms=to_milliseconds(instants[0]) - _BARS_BEFORE * timeframe.milliseconds,
        to_ms=timeframe.open_of(to_milliseconds(now)),
    )
    if not len(bars):
        return {}
    closed_ms = timeframe.closes_of(bars.open_time)
    wanted_ms = np.array([to_milliseconds(each) for each in instants], dtype=np.int64)
    places = np.searchsorted(closed_ms, wanted_ms, side="right") - 1
    return {
        instant: money.decimal_of(float(bars.close[place]))
        for instant, place in zip(instants, places.tolist(), strict=True)
        if place >= 0
    }
