"""Candles that a run would need and that are not stored: found, and fetched by the service that feeds use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backtesting.services import specifications, universes
from exchanges.selectors import held, instruments
from exchanges.selectors.accounts import Owner
from exchanges.services import backfill, history
from foundation.audit import Actor
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds


@dataclass(frozen=True, slots=True)
class Missing:
    """Bars ``[from_at, to_at)`` of a market in which so many are missing; ``can_be_fetched`` from its venue."""

    instrument_id: int
    symbol: str
    timeframe: Timeframe
    from_at: datetime
    to_at: datetime
    bars: int
    can_be_fetched: bool


def find_missing(
    *,
    market: str,
    universe: str,
    timeframe: Timeframe,
    from_at: datetime,
    to_at: datetime,
    warm_up_bars: int,
    now: datetime,
) -> list[Missing]:
    """Return what is missing of each market in the window and in the warm-up before it.

    Holes that the venue itself has are not missing. Raises what ``parse_market`` and ``parse_universe`` do.
    """
    named = universes.parse_universe(universe) if universe else [instruments.parse_market(market)]
    # A run reads twice its warm-up, so that gaps rarely delay its start.
    from_ms = to_milliseconds(from_at) - 2 * warm_up_bars * timeframe.milliseconds
    # The bar of now is not closed yet.
    to_ms = timeframe.open_of(to_milliseconds(min(to_at, now)))
    found = []
    for instrument in named:
        spans = held.missing_spans(
            instrument_id=instrument.pk,
            timeframe=timeframe,
            from_ms=timeframe.open_of(max(from_ms, 0)),
            to_ms=to_ms,
        )
        if spans:
            found.append(
                Missing(
                    instrument_id=instrument.pk,
                    symbol=instrument.symbol,
                    timeframe=timeframe,
                    from_at=from_milliseconds(spans[0][0]),
                    to_at=from_milliseconds(spans[-1][1]),
                    bars=sum(end - start for start, end in spans) // timeframe.milliseconds,
                    can_be_fetched=instruments.can_be_asked(instrument),
                )
            )
    return found


def missing_for(wish: Mapping[str, Any], *, now: datetime) -> list[Missing]:
    """Return what a run would lack; *wish* is what ``specifications.specify`` takes, and it raises the same."""
    timeframe = Timeframe(wish["timeframe"])
    warm_up_bars = specifications.warm_up_of(
        wish["strategy_slug"],
        parameters=wish["parameters"],
        timeframe=timeframe,
        parameters_are_text=wish.get("parameters_are_text", False),
    )
    return find_missing(
        market=wish.get("market", ""),
        universe=wish.get("universe", ""),
        timeframe=timeframe,
        from_at=wish["from_at"],
        to_at=wish["to_at"],
        warm_up_bars=warm_up_bars,
        now=now,
    )


def fetch_missing(
    missing: Sequence[Missing], *, owner: Owner, by: Actor, now: datetime
) -> list[int]:
    """Have what can be fetched fetched, as far as *owner* may; return the keys of the fetches.

    Raises TooMuchHistoryError, or TooManyFetchesError if there is no room for any.
    """
    sent: list[int] = []
    for each in missing:
        if not each.can_be_fetched:
            continue
        try:
            fetch = history.request_fetch(
                owner=owner,
                instrument_id=each.instrument_id,
                timeframe=each.timeframe,
                from_at=each.from_at,
                to_at=min(each.to_at, now - timedelta(seconds=1)),
                by=by,
                now=now,
            )
        except history.TooManyFetchesError:
            if not sent:
                raise
            break
        sent.append(fetch.pk)
    return sent


def fetch_here(missing: Missing, *, clock: Callable[[], datetime]) -> int:
    """Fetch in this process what is missing of a market; return how many bars came. Raises VenueError."""
    done = backfill.fetch_missing(
        instrument=instruments.get_by_id(missing.instrument_id),
        timeframe=missing.timeframe,
        from_ms=to_milliseconds(missing.from_at),
        to_ms=to_milliseconds(missing.to_at),
        clock=clock,
    )
    return done.added
