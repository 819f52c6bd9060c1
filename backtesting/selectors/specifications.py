"""A stored run as the specification that it was requested with."""

import hashlib
from collections.abc import Sequence

from backtesting.domain import universes
from backtesting.domain.specification import Charges, Specification, Terms
from backtesting.domain.windows import Window
from backtesting.engine import ENGINE_VERSION
from backtesting.models import BacktestRun, StoredSpecification
from exchanges.selectors import candles
from market.candles import Candles
from market.enums import InstrumentKind
from market.errors import ConflictError
from market.timeframes import MINUTE_MS, Timeframe, to_milliseconds
from strategies import registry
from strategies.views import UniverseView


class CodeChangedError(ConflictError):
    """The strategy's or the engine's code is another one than at the request."""

    code = "code_changed"


def specification_of(run: StoredSpecification) -> Specification:
    """Return what *run* (with version, strategy, instrument and venue) was requested to compute.

    Raises UnknownStrategyError if the strategy is gone, and CodeChangedError if it would not give
    the same result any more.
    """
    version, instrument = run.strategy_version, run.instrument
    definition = registry.get_definition(version.strategy.slug)
    if (
        registry.code_fingerprint(definition) != version.code_fingerprint
        or run.engine_version != ENGINE_VERSION
    ):
        raise CodeChangedError(
            f"{definition.name} or the engine was updated after this run was requested. Run it again."
        )
    # Not strictly: JSON has no word for an enum's member.
    params = registry.validate_params(definition, run.parameters, strict=False)
    timeframe = Timeframe(run.timeframe)
    warm_up_bars = definition.requirements(params).bars(timeframe)
    from_ms = to_milliseconds(run.from_at)
    return Specification(
        definition=definition,
        params=params,
        terms=Terms(
            instrument_id=instrument.pk,
            venue=instrument.venue.code,
            symbol=instrument.symbol,
            kind=InstrumentKind(instrument.kind),
            tick_size=run.tick_size,
            lot_step=run.lot_step,
            minimum_quantity=run.minimum_quantity,
            minimum_notional=run.minimum_notional,
        ),
        window=Window.with_warm_up(
            timeframe, from_ms, to_milliseconds(run.to_at), warm_up_bars=warm_up_bars
        ),
        capital=run.capital,
        charges=Charges(run.maker_fee_bps, run.taker_fee_bps, run.slippage_bps, run.funding_bps),
        data_version=run.data_version,
        universe=tuple(
            universes.terms_from(each, venue=instrument.venue.code) for each in run.universe
        ),
    )


def candles_of(specification: Specification, terms: Terms | None = None) -> Candles:
    """Return the stored bars of its window and warm-up, of its first market unless one is named."""
    return candles.load_candles(
        instrument_id=(terms or specification.terms).instrument_id,
        timeframe=specification.timeframe,
        from_ms=specification.window.load_from_ms,
        to_ms=specification.window.to_ms,
    )


def detail_of(specification: Specification) -> Candles | None:
    """Return the stored minutes of its window, which say what happened inside longer bars.

    None for bars of a minute, and for a run over many markets.
    """
    if not _has_detail(specification.markets, specification.window):
        return None
    return candles.load_candles(
        instrument_id=specification.terms.instrument_id,
        timeframe=Timeframe.M1,
        from_ms=specification.window.from_ms,
        to_ms=specification.window.to_ms,
    )


def universe_of(specification: Specification) -> UniverseView:
    """Return the stored bars of all its markets on one time grid."""
    return universes.view_of(
        [terms.symbol for terms in specification.markets],
        [candles_of(specification, terms) for terms in specification.markets],
        specification.timeframe,
    )


def data_version_now(specification: Specification) -> str:
    """Return the present state of the stored bars of its window and warm-up."""
    return data_version_of(specification.markets, specification.window)


def data_version_of(markets: Sequence[Terms], window: Window) -> str:
    """Return the present state of the stored bars of *markets* in a window with its warm-up.

    With that of the minutes inside the bars, where a run looks at them.
    """
    versions = [
        candles.data_version(
            instrument_id=terms.instrument_id,
            timeframe=window.timeframe,
            from_ms=window.load_from_ms,
            to_ms=window.to_ms,
        )
        for terms in markets
    ]
    if _has_detail(markets, window):
        versions.append(
            candles.data_version(
                instrument_id=markets[0].instrument_id,
                timeframe=Timeframe.M1,
                from_ms=window.from_ms,
                to_ms=window.to_ms,
            )
        )
    if len(versions) == 1:
        return versions[0]
    return hashlib.blake2b("".join(versions).encode(), digest_size=32).hexdigest()


def window_candles_of(run: BacktestRun, *, symbol: str = "") -> Candles:
    """Return the stored bars of the run's window, whatever has become of its strategy.

    Of a run over many markets those of *symbol*, or of the first.
    """
    ids = {each["symbol"]: each["instrument"] for each in run.universe}
    return candles.load_candles(
        instrument_id=ids.get(symbol, run.instrument_id),
        timeframe=Timeframe(run.timeframe),
        from_ms=to_milliseconds(run.from_at),
        to_ms=to_milliseconds(run.to_at),
    )


def _has_detail(markets: Sequence[Terms], window: Window) -> bool:
    return len(markets) == 1 and window.timeframe.milliseconds > MINUTE_MS
