"""A request for a run, checked as a whole: either a complete specification or every problem."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from backtesting.domain.specification import Charges, Specification, Terms
from backtesting.domain.universes import stored_terms
from backtesting.domain.windows import NoCandlesError, Stored, Window, window_on_grid
from backtesting.engine import ENGINE_VERSION
from backtesting.selectors import specifications as stored
from backtesting.services import universes
from exchanges.selectors import candles, instruments
from market.enums import InstrumentKind
from market.errors import FieldProblem, InvalidInputError, PlatformError
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.registry import Definition, UnknownStrategyError
from strategies.selectors import catalogue
from strategies.shapes import Requirements, StrategyParams

if TYPE_CHECKING:
    from exchanges.models import Instrument

DEFAULT_CAPITAL: Final = Decimal(10_000)
DEFAULT_SLIPPAGE_BPS: Final = Decimal(5)

#: More than a year of one-minute bars; a run of so many takes about a minute.
MAXIMUM_BARS: Final = 600_000
MAXIMUM_CAPITAL: Final = Decimal(10) ** 15
MAXIMUM_BPS: Final = Decimal(1_000)
_BPS_PLACES: Final = 4
_CAPITAL_PLACES: Final = 18

T = TypeVar("T")


class InvalidRunError(InvalidInputError):
    """The request cannot be run; ``problems`` names everything that is wrong with it."""

    code = "invalid_input"


def specify(
    *,
    strategy_slug: str,
    market: str = "",
    universe: str = "",
    timeframe: str,
    from_at: datetime,
    to_at: datetime,
    parameters: Mapping[str, object],
    capital: Decimal = DEFAULT_CAPITAL,
    fee_bps: Decimal | None = None,
    slippage_bps: Decimal = DEFAULT_SLIPPAGE_BPS,
    funding_bps: Decimal = Decimal(0),
    parameters_are_text: bool = False,
    now: datetime,
) -> Specification:
    """Return the specification of a run, or raise InvalidRunError with all problems at once.

    *market* is written ``binance:BTC/USDT``; a strategy that looks at many gets a *universe*, written
    ``binance:BTC/USDT,ETH/USDT``, instead. The window is ``[from_at, to_at)`` and ends where the
    stored candles do. ``fee_bps`` None takes the venue's maker and taker fees. Parameters from a
    form or a command are text and read as what the strategy needs. Problems name the fields
    ``strategy``, ``market``, ``universe``, ``timeframe``, ``from``, ``to``, ``parameters.<name>``, ``capital``,
    ``fee_bps`` and ``slippage_bps``.
    """
    found = _Problems()
    definition = found.keep("strategy", lambda: _definition(strategy_slug))
    params = None
    if definition is not None:
        params = _params(definition, parameters, parameters_are_text, found)
    frame = found.keep("timeframe", lambda: _timeframe(timeframe))
    needs = None
    if definition is not None and params is not None:
        needs = definition.requirements(params)
        if capital.is_finite() and capital > 0:
            found.add_all(registry.capital_problems(definition, params, capital))
    markets = _markets(definition, needs, market, universe, found)
    found.keep("to", lambda: _check_order(from_at, to_at, now))
    found.keep("capital", lambda: _check_capital(capital))
    found.keep("slippage_bps", lambda: _check_bps("slippage_bps", slippage_bps))
    found.keep("funding_bps", lambda: _check_bps("funding_bps", abs(funding_bps)))
    if fee_bps is not None:
        found.keep("fee_bps", lambda: _check_bps("fee_bps", fee_bps))
    if definition is None or params is None or needs is None or frame is None or not markets:
        raise found.error()
    warm_up_bars = needs.bars(frame)
    found.keep("timeframe", lambda: _check_suits(needs, frame))
    terms = tuple(_terms(each) for each in markets)
    window = None
    if not found.names("to") and not found.names("timeframe"):
        window = found.keep("from", lambda: _window(terms, frame, from_at, to_at, warm_up_bars))
    if window is None or found:
        raise found.error()
    venue = markets[0].venue
    return Specification(
        definition=definition,
        params=params,
        terms=terms[0],
        window=window,
        capital=capital,
        charges=Charges(
            venue.maker_fee_bps if fee_bps is None else fee_bps,
            venue.taker_fee_bps if fee_bps is None else fee_bps,
            slippage_bps,
            funding_bps,
        ),
        data_version=stored.data_version_of(terms, window),
        universe=terms if needs.needs_universe else (),
    )


def warm_up_of(
    strategy_slug: str,
    *,
    parameters: Mapping[str, object],
    timeframe: Timeframe,
    parameters_are_text: bool,
) -> int:
    """Return how many bars a strategy reads before it may trade; raises InvalidRunError."""
    found = _Problems()
    definition = _definition(strategy_slug)
    params = _params(definition, parameters, parameters_are_text, found)
    if params is None:
        raise found.error()
    return definition.requirements(params).bars(timeframe)


def columns_of(specification: Specification) -> dict[str, Any]:
    """Return the columns in which a row keeps *specification*, all but its owner and its hash.

    Raises CatalogueOutOfDateError if the catalogue does not describe the code that runs here.
    """
    terms, charges = specification.terms, specification.charges
    return {
        "strategy_version": catalogue.version_of_code(specification.definition),
        "instrument_id": terms.instrument_id,
        "universe": [stored_terms(each) for each in specification.universe],
        "timeframe": specification.timeframe.value,
        "from_at": from_milliseconds(specification.window.from_ms),
        "to_at": from_milliseconds(specification.window.to_ms),
        "parameters": specification.params.model_dump(mode="json"),
        "capital": specification.capital,
        "maker_fee_bps": charges.maker_fee_bps,
        "taker_fee_bps": charges.taker_fee_bps,
        "slippage_bps": charges.slippage_bps,
        "funding_bps": charges.funding_bps,
        "tick_size": terms.tick_size,
        "lot_step": terms.lot_step,
        "minimum_quantity": terms.minimum_quantity,
        "minimum_notional": terms.minimum_notional,
        "engine_version": ENGINE_VERSION,
        "data_version": specification.data_version,
    }


class _Problems:
    """Gathers what is wrong with each field, so that a person reads all of it at once."""

    def __init__(self) -> None:
        self._found: list[FieldProblem] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def keep(self, field: str, compute: Callable[[], T]) -> T | None:
        """Return what *compute* does, or None after noting its failure against *field*."""
        try:
            return compute()
        except PlatformError as error:
            self._found.append(FieldProblem(field, error.code, error.message))
            return None

    def add(self, problem: FieldProblem) -> None:
        """Note a problem that is described already."""
        self._found.append(problem)

    def add_all(self, problems: Iterable[FieldProblem]) -> None:
        """Note problems that are described already."""
        self._found.extend(problems)

    def names(self, field: str) -> bool:
        """Tell whether something is wrong with *field*."""
        return any(problem.field == field for problem in self._found)

    def error(self) -> InvalidRunError:
        """Return all of it as one error."""
        message = " ".join(problem.message for problem in self._found)
        return InvalidRunError(message, problems=self._found)


class _InvalidTimeframeError(InvalidInputError):
    code = "invalid_timeframe"


class _UnsuitableTimeframeError(InvalidInputError):
    code = "unsuitable_timeframe"


class _RangeInvertedError(InvalidInputError):
    code = "range_inverted"


class _InFutureError(InvalidInputError):
    code = "in_future"


class _TooManyBarsError(InvalidInputError):
    code = "too_many_bars"


class _OutOfRangeError(InvalidInputError):
    code = "out_of_range"


class _InvalidDecimalError(InvalidInputError):
    code = "invalid_decimal"


class _UnknownStrategyError(InvalidInputError):
    code = "unknown_strategy"


def _definition(slug: str) -> Definition:
    try:
        return registry.get_definition(slug)
    except UnknownStrategyError:
        nearest = catalogue.nearest_slugs(slug)
        hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
        raise _UnknownStrategyError(f"There is no strategy “{slug[:40]}”.{hint}") from None


def _params(
    definition: Definition, values: Mapping[str, object], are_text: bool, found: _Problems
) -> StrategyParams | None:
    try:
        if are_text:
            texts = {name: str(value) for name, value in values.items()}
            return registry.params_from_text(definition, texts)
        return registry.validate_params(definition, values)
    except registry.InvalidParametersError as error:
        for problem in error.problems:
            found.add(FieldProblem(f"parameters.{problem.field}", problem.code, problem.message))
        return None


def _timeframe(text: str) -> Timeframe:
    try:
        return Timeframe(text)
    except ValueError:
        known = ", ".join(timeframe.value for timeframe in Timeframe)
        raise _InvalidTimeframeError(
            f"“{text[:40]}” is no timeframe. Use one of: {known}."
        ) from None


def _check_suits(requirements: Requirements, timeframe: Timeframe) -> None:
    objection = requirements.objection(timeframe)
    if objection:
        raise _UnsuitableTimeframeError(objection)


def _markets(
    definition: Definition | None,
    needs: Requirements | None,
    market: str,
    universe: str,
    found: _Problems,
) -> "Sequence[Instrument]":
    """Return what is to be traded: one instrument, or those of a universe; none after a problem."""
    if needs is None or definition is None:
        # What it needs is unknown, so whatever was named is read.
        needs_universe, name = bool(universe), "The strategy"
    else:
        needs_universe, name = needs.needs_universe, definition.name
    if needs_universe:
        if not universe.strip():
            error = universes.UniverseRequiredError(name)
            found.add(FieldProblem("universe", error.code, error.message))
            return ()
        return found.keep("universe", lambda: universes.parse_universe(universe)) or ()
    if universe.strip():
        unused = universes.UniverseUnusedError(name)
        found.add(FieldProblem("universe", unused.code, unused.message))
    if not market.strip():
        text = f"{name} needs a market, such as binance:BTC/USDT."
        found.add(FieldProblem("market", "required", text))
        return ()
    one = found.keep("market", lambda: instruments.parse_market(market))
    return () if one is None else (one,)


def _terms(instrument: "Instrument") -> Terms:
    return Terms(
        instrument_id=instrument.pk,
        venue=instrument.venue.code,
        symbol=instrument.symbol,
        kind=InstrumentKind(instrument.kind),
        tick_size=instrument.tick_size,
        lot_step=instrument.lot_step,
        minimum_quantity=instrument.minimum_quantity,
        minimum_notional=instrument.minimum_notional,
    )


def _check_order(from_at: datetime, to_at: datetime, now: datetime) -> None:
    if from_at >= to_at:
        raise _RangeInvertedError("The window must begin before it ends.")
    if to_at > now:
        raise _InFutureError(f"The window must end by now, {now:%Y-%m-%d %H:%M} UTC.")


def _check_capital(capital: Decimal) -> None:
    if not capital.is_finite() or not 0 < capital <= MAXIMUM_CAPITAL:
        raise _OutOfRangeError(
            f"The capital must be more than 0 and at most {MAXIMUM_CAPITAL:,}, not {capital:.12g}."
        )
    _check_places("capital", capital, _CAPITAL_PLACES)


def _check_bps(field: str, value: Decimal) -> None:
    if not value.is_finite() or not 0 <= value <= MAXIMUM_BPS:
        raise _OutOfRangeError(f"{field} must be from 0 to {MAXIMUM_BPS:,}, not {value:.12g}.")
    _check_places(field, value, _BPS_PLACES)


def _check_places(field: str, value: Decimal, places: int) -> None:
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > places:
        raise _InvalidDecimalError(f"{field} may have at most {places} digits after the point.")


def _window(
    markets: Sequence[Terms],
    timeframe: Timeframe,
    from_at: datetime,
    to_at: datetime,
    warm_up_bars: int,
) -> Window:
    """Return the window on the bars that any of *markets* has; each has to have some."""
    extents = candles.extents(
        instrument_ids=[terms.instrument_id for terms in markets], timeframe=timeframe
    )
    for terms in markets:
        if terms.instrument_id not in extents:
            raise NoCandlesError(f"There are no {timeframe} candles of {terms.market}.")
    window = window_on_grid(
        timeframe=timeframe,
        from_ms=to_milliseconds(from_at),
        to_ms=to_milliseconds(to_at),
        warm_up_bars=warm_up_bars,
        stored=Stored(
            to_milliseconds(min(first for first, _ in extents.values())),
            to_milliseconds(max(last for _, last in extents.values())),
        ),
    )
    bars = window.estimated_bars * len(markets)
    if bars > MAXIMUM_BARS:
        raise _TooManyBarsError(
            f"This window has {bars:,} bars of {timeframe}, at most "
            f"{MAXIMUM_BARS:,} can be run. Choose a shorter window or a longer timeframe."
        )
    return window
