"""Candles that a run would need and that are not stored: found, and fetched by the service that feeds use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backtesting.services import universes
from exchanges.selectors import held, instruments
from exchanges.selectors.accounts import Owner
from exchanges.services import history
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


def fetch_missing(
    missing: Sequence[Missing], *, owner: Owner, by: Actor, now: datetime
) -> list[Missing]:
    """Have what can be fetched fetched; return what is on its way.

    Raises TooMuchHistoryError or TooManyFetchesError; what was asked for before that stays on its way.
    """
    asked = [each for each in missing if each.can_be_fetched]
    for each in asked:
        history.request_fetch(
            owner=owner,
            instrument_id=each.instrument_id,
            timeframe=each.timeframe,
            from_at=each.from_at,
            to_at=min(each.to_at, now - timedelta(seconds=1)),
            by=by,
            now=now,
        )
    return asked
