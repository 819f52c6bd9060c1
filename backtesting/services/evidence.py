"""The backtests that the catalogue shows: default parameters on recorded candles of a real market."""

import logging
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from backtesting.domain.curves import thinned_indices
from backtesting.domain.portfolio import AnyBacktest
from backtesting.domain.specification import Specification
from backtesting.engine import ENGINE_VERSION
from backtesting.selectors.universes import universe_around
from backtesting.services import specifications, trials
from exchanges.selectors import candles
from exchanges.selectors.candles import Series
from foundation.audit import Actor
from market.errors import ConflictError, PlatformError
from market.timeframes import DAY_MS, Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.models import Evidence, Strategy
from strategies.selectors import catalogue
from strategies.services import evidence as store
from strategies.services.evidence import Computed

logger = logging.getLogger(__name__)

_BY: Final = Actor.system("evidence")
#: The market that people know best, where it has enough bars.
_PREFERRED_SYMBOL: Final = "BTC/USDT"
#: Fewer tradable bars than this show nothing, more than that take long and are thinned anyway.
_BARS_AT_LEAST: Final = 100
_BARS_AT_MOST: Final = 20_000
#: A strategy that trades the sessions of days shows nothing in less than a few of them.
_SESSIONS_AT_LEAST: Final = 3
#: Fewer markets are nothing to choose from.
_MARKETS_AT_LEAST: Final = 3
_CURVE_POINTS: Final = 100


class NothingToShowError(ConflictError):
    """No stored series of a real market is long enough for the strategy."""

    code = "no_series_for_evidence"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No recorded series of a real market is long enough for “{name}”. Import candles first."
        )


def answer_wish(*, strategy_id: int, now: datetime) -> None:
    """Do what an operator asked for, if it still stands; a failure becomes a text for them."""
    strategy = catalogue.find_wish(strategy_id=strategy_id)
    if strategy is None:
        return
    try:
        record_evidence(strategy_slug=strategy.slug, by=_BY, now=now)
    except PlatformError as error:
        store.fail_evidence(strategy_id=strategy_id, message=error.message)
    except SoftTimeLimitExceeded:
        store.fail_evidence(strategy_id=strategy_id, message="It took too long.")
    except DatabaseError:
        raise
    except Exception:
        # The outermost frame of the work: the operator gets an answer, the log the reason.
        logger.exception("evidence.broke", extra={"strategy_id": strategy_id})
        message = "Something broke on our side. It has been logged."
        store.fail_evidence(strategy_id=strategy_id, message=message)


def record_evidence(
    *,
    strategy_slug: str,
    market: str | None = None,
    timeframe: str | None = None,
    by: Actor,
    now: datetime,
) -> Evidence:
    """Backtest the present version with its default parameters, and write it down for the catalogue.

    Without a *market* and a *timeframe* the series is chosen: of a real market, long enough, of the
    suggested timeframe, the newest. A strategy that looks at many markets is shown all that are
    like the chosen one, the more the better. The costs are those of the venue. Raises
    NothingToShowError, or what ``specify`` raises.
    """
    definition = registry.get_definition(strategy_slug)
    version = catalogue.version_of_code(definition)
    series = _choose(version.strategy, market=market, timeframe=timeframe)
    looks_at_many = definition.requirements(definition.default_params()).needs_universe
    name = _market_of(series)
    close_ms = series.timeframe.close_of(to_milliseconds(series.last_open_at))
    longest_ms = _BARS_AT_MOST * series.timeframe.milliseconds
    from_ms = max(to_milliseconds(series.first_open_at), close_ms - longest_ms)
    specification = specifications.specify(
        strategy_slug=strategy_slug,
        market="" if looks_at_many else name,
        universe=universe_around(name, series.timeframe.value) if looks_at_many else "",
        timeframe=series.timeframe.value,
        from_at=from_milliseconds(from_ms),
        to_at=from_milliseconds(close_ms),
        parameters={},
        now=now,
    )
    computed = _computed(specification, trials.try_out(specification))
    return store.store_evidence(version_id=version.pk, computed=computed, by=by)


def _choose(strategy: Strategy, *, market: str | None, timeframe: str | None) -> Series:
    definition = registry.get_definition(strategy.slug)
    requirements = definition.requirements(definition.default_params())

    def suits(series: Series) -> bool:
        name = _market_of(series)
        if market is None and not series.instrument.venue.real_money:
            return False
        return (market in (None, name)) and timeframe in (None, series.timeframe.value)

    def least(timeframe: Timeframe) -> int:
        days = _SESSIONS_AT_LEAST if requirements.day_marks_ms else 0
        return max(_BARS_AT_LEAST, days * DAY_MS // timeframe.milliseconds)

    every = candles.series()
    alike = Counter(map(_kind_of, every))
    least_markets = _MARKETS_AT_LEAST if requirements.needs_universe else 1
    found = [
        series
        for series in every
        if suits(series)
        and alike[_kind_of(series)] >= least_markets
        and not requirements.objection(series.timeframe)
        and series.row_count >= requirements.bars(series.timeframe) + least(series.timeframe)
    ]
    if not found:
        raise NothingToShowError(strategy.name)
    return max(
        found,
        key=lambda series: (
            series.timeframe.value == strategy.suggested_timeframe,
            alike[_kind_of(series)] if requirements.needs_universe else 0,
            series.instrument.symbol == _PREFERRED_SYMBOL,
            series.last_open_at,
            series.row_count,
        ),
    )


def _market_of(series: Series) -> str:
    return f"{series.instrument.venue.code}:{series.instrument.symbol}"


def _kind_of(series: Series) -> tuple[object, ...]:
    """Return what the series of one universe have in common."""
    own = series.instrument
    return own.venue_id, own.kind, own.settle, series.timeframe


def _computed(specification: Specification, backtest: AnyBacktest) -> Computed:
    window, charges = specification.window, specification.charges
    return Computed(
        instrument_id=specification.terms.instrument_id,
        timeframe=specification.timeframe.value,
        from_at=from_milliseconds(window.from_ms),
        to_at=from_milliseconds(window.to_ms),
        effective_from_at=backtest.effective_from_at,
        bar_count=backtest.bar_count,
        parameters=specification.params.model_dump(mode="json"),
        capital=Decimal(specification.capital),
        maker_fee_bps=charges.maker_fee_bps,
        taker_fee_bps=charges.taker_fee_bps,
        slippage_bps=charges.slippage_bps,
        metrics=backtest.metrics_json(),
        curve=_curve(backtest),
        engine_version=ENGINE_VERSION,
        data_fingerprint=backtest.fingerprint(),
        spec_hash=specification.spec_hash(),
    )


def _curve(backtest: AnyBacktest) -> list[list[float]]:
    """Return the curve thinned to what a small picture can show, with the starting capital in front."""
    curve = backtest.curve()
    start = [float(to_milliseconds(backtest.effective_from_at)), curve.capital, curve.capital]
    kept = thinned_indices(curve.equity, limit=_CURVE_POINTS - 1).tolist()
    columns = (curve.close_time, curve.equity, curve.buy_and_hold)
    return [start, *([float(column[index]) for column in columns] for index in kept)]
