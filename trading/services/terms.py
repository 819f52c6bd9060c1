"""What somebody asks to deploy, checked: every problem is named at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from backtesting.services import universes
from backtesting.services.universes import UniverseRequiredError, UniverseUnusedError
from exchanges.selectors import accounts, instruments
from exchanges.services import abilities
from market.enums import OrderType
from market.errors import (
    ConflictError,
    FieldProblem,
    InvalidInputError,
    PlatformError,
    UnprocessableError,
)
from market.timeframes import Timeframe
from strategies import registry
from strategies.registry import Definition
from strategies.shapes import StrategyParams
from trading.models import StopPolicy
from trading.selectors import markets
from trading.selectors.owners import Owner
from trading.services import limits

if TYPE_CHECKING:
    from accounts.models import User
    from exchanges.models import ExchangeAccount, Instrument

#: More than any strategy is meant for, and few enough to be read as a number.
MAXIMUM_CAPITAL: Final = Decimal(1_000_000_000)

#: What stands before the name of a limit in the problems of a request.
PROTECTIONS: Final = "protections."

_LONGEST_NAME: Final = 80


class InvalidDeploymentError(InvalidInputError):
    """What was asked for cannot be deployed; ``problems`` names every field that is wrong."""

    code = "invalid_deployment"


class AccountNotReadyError(ConflictError):
    """No orders can be sent for the account."""

    code = "account_not_ready"

    def __init__(self, label: str) -> None:
        super().__init__(f"The account “{label}” is not connected. Test its key first.")


class MarketInactiveError(ConflictError):
    """The market is delisted or halted."""

    code = "market_inactive"

    def __init__(self, symbol: str) -> None:
        text = f"{symbol} does not trade at the moment."
        super().__init__(text, problems=[FieldProblem("symbol", self.code, text)])


class PaperOnlyError(ConflictError):
    """The venue has no orders of a type that the strategy rests there."""

    code = "paper_only"

    def __init__(self, name: str, *, venue: str, lacks: str) -> None:
        super().__init__(
            f"“{name}” rests {lacks} orders, which {venue} does not take from the platform. "
            "It runs on paper accounts there."
        )


class UniverseOnPaperError(ConflictError):
    """Many markets from one wallet are traded on paper, not at real venues yet."""

    code = "universe_paper_only"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"“{name}” trades many markets from one wallet. That runs on paper accounts so far, "
            "not on exchange accounts."
        )


class CapitalTooSmallError(UnprocessableError):
    """The capital does not pay for the smallest order of the market."""

    code = "capital_too_small"

    def __init__(self, *, capital: Decimal, minimum: Decimal, currency: str) -> None:
        super().__init__(
            f"{capital.normalize():f} {currency} is less than the smallest order here, "
            f"{minimum.normalize():f} {currency}."
        )


class WrongVenueError(InvalidInputError):
    """The markets are not those of the account's venue."""

    code = "wrong_venue"

    def __init__(self, *, named: str, needed: str) -> None:
        super().__init__(f"The account is at {needed}, these markets are at {named}.")


@dataclass(frozen=True, slots=True)
class Terms:
    """A checked request for a deployment; ``instruments`` are by symbol, one or a universe."""

    name: str
    definition: Definition
    params: StrategyParams
    account: "ExchangeAccount"
    instruments: "Sequence[Instrument]"
    timeframe: Timeframe
    capital: Decimal
    stop_policy: StopPolicy


def check_terms(
    *,
    owner: Owner,
    name: str,
    strategy_slug: str,
    account_public_id: UUID,
    symbol: str,
    universe: str,
    timeframe: str,
    parameters: Mapping[str, object],
    capital: Decimal,
    stop_policy: str,
    parameters_are_text: bool,
    protections: Mapping[str, object],
) -> Terms:
    """Return the terms of a deployment; raise the errors that ``deploy`` names."""
    definition = registry.get_definition(strategy_slug)
    account = accounts.get_account_for(cast("User", owner), public_id=account_public_id)
    problems: list[FieldProblem] = []
    params = _params(definition, parameters, problems, strict=not parameters_are_text)
    traded = _instruments(definition, params, account, symbol, universe, problems)
    shown = name.strip()
    problems += [*_name_problems(shown), *_timeframe_problems(definition, params, timeframe)]
    if not capital.is_finite() or not 0 < capital <= MAXIMUM_CAPITAL:
        text = f"The capital must be more than 0 and at most {MAXIMUM_CAPITAL:,}."
        problems.append(FieldProblem("capital", "out_of_range", text))
    elif params is not None:
        problems += registry.capital_problems(definition, params, capital)
    problems += _stop_policy_problems(stop_policy)
    problems += limits.problems_of(protections, prefix=PROTECTIONS)
    _raise(problems)
    if params is None:
        raise InvalidDeploymentError
    share = share_of(capital, definition=definition, params=params)
    check_markets(account, traded=traded, share=share)
    if len(traded) > 1 and not markets.is_paper(account):
        raise UniverseOnPaperError(definition.name)
    check_orders(account, definition=definition, params=params)
    return Terms(
        name=shown,
        definition=definition,
        params=params,
        account=account,
        instruments=traded,
        timeframe=Timeframe(timeframe),
        capital=capital,
        stop_policy=StopPolicy(stop_policy),
    )


def checked_name(name: str) -> str:
    """Return *name* as it is stored; raise InvalidDeploymentError."""
    _raise(_name_problems(name.strip()))
    return name.strip()


def check_protections(protections: Mapping[str, object]) -> None:
    """Raise InvalidDeploymentError for limits that cannot be."""
    _raise(limits.problems_of(protections, prefix=PROTECTIONS))


def checked_stop_policy(stop_policy: str) -> StopPolicy:
    """Return what happens at the end; raise InvalidDeploymentError."""
    _raise(_stop_policy_problems(stop_policy))
    return StopPolicy(stop_policy)


def checked_params(
    definition: Definition,
    *,
    parameters: Mapping[str, object],
    timeframe: str,
    capital: Decimal,
    strict: bool,
) -> StrategyParams:
    """Return the parameters of a deployment of that timeframe and capital; raise InvalidDeploymentError."""
    problems: list[FieldProblem] = []
    params = _params(definition, parameters, problems, strict=strict)
    problems += _timeframe_problems(definition, params, timeframe)
    if params is not None:
        problems += registry.capital_problems(definition, params, capital)
    _raise(problems)
    if params is None:
        raise InvalidDeploymentError
    return params


def _raise(problems: Sequence[FieldProblem]) -> None:
    if problems:
        message = " ".join(problem.message for problem in problems)
        raise InvalidDeploymentError(message, problems=problems)


def _name_problems(name: str) -> Sequence[FieldProblem]:
    if 1 <= len(name) <= _LONGEST_NAME:
        return ()
    text = f"Give it a name of 1 to {_LONGEST_NAME} characters."
    return (FieldProblem("name", "out_of_range", text),)


def _stop_policy_problems(stop_policy: str) -> Sequence[FieldProblem]:
    if stop_policy in StopPolicy.values:
        return ()
    text = f"Use one of {', '.join(StopPolicy.values)}."
    return (FieldProblem("stop_policy", "unknown_choice", text),)


def _params(
    definition: Definition,
    parameters: Mapping[str, object],
    problems: list[FieldProblem],
    *,
    strict: bool,
) -> StrategyParams | None:
    """Return the strategy's parameters, or None after adding what is wrong with them."""
    try:
        return registry.validate_params(definition, parameters, strict=strict)
    except registry.InvalidParametersError as error:
        problems += error.problems
        return None


def _instruments(
    definition: Definition,
    params: StrategyParams | None,
    account: "ExchangeAccount",
    symbol: str,
    universe: str,
    problems: list[FieldProblem],
) -> "Sequence[Instrument]":
    """Return what is to be traded, by symbol; nothing after adding what is wrong with it."""
    looks_at_many = bool(universe)
    if params is not None:
        looks_at_many = definition.requirements(params).needs_universe
    field = "universe" if looks_at_many or universe.strip() else "symbol"
    try:
        if field == "symbol":
            return (instruments.get_instrument(account.venue.code, symbol),)
        if not looks_at_many:
            raise UniverseUnusedError(definition.name)
        if not universe.strip():
            raise UniverseRequiredError(definition.name)
        found = universes.parse_universe(universe)
        named = found[0].venue
        if named.pk != account.venue_id:
            raise WrongVenueError(named=named.name, needed=account.venue.name)
    except PlatformError as error:
        problems.append(FieldProblem(field, error.code, error.message))
        return ()
    return found


def _timeframe_problems(
    definition: Definition, params: StrategyParams | None, timeframe: str
) -> Sequence[FieldProblem]:
    if timeframe not in set(Timeframe):
        text = f"“{timeframe[:10]}” is no timeframe. Use one of {', '.join(Timeframe)}."
        return (FieldProblem("timeframe", "unknown_timeframe", text),)
    if params is None:
        return ()
    objection = definition.requirements(params).objection(Timeframe(timeframe))
    return (FieldProblem("timeframe", "unsuitable_timeframe", objection),) if objection else ()


def check_orders(
    account: "ExchangeAccount", *, definition: Definition, params: StrategyParams
) -> None:
    """Raise PaperOnlyError if *account* is at a venue that lacks what the strategy rests there."""
    if markets.is_paper(account):
        return
    rules = definition.rules(params)
    needed = {OrderType.STOP_LOSS} if rules.stop_percent else set()
    if definition.requirements(params).rests_entries:
        needed |= {OrderType.LIMIT, OrderType.STOP_LOSS}
    lacking = needed - set(abilities.order_types_of(account.venue))
    if lacking:
        words = " and ".join(sorted(each.value.lower().replace("_", "-") for each in lacking))
        raise PaperOnlyError(definition.name, venue=account.venue.name, lacks=words)


def check_markets(
    account: "ExchangeAccount", *, traded: "Sequence[Instrument]", share: Decimal
) -> None:
    """Raise if nothing can be opened on *account* in one of *traded* with *share*, in general."""
    if not markets.is_connected(account):
        raise AccountNotReadyError(account.label)
    for instrument in traded:
        if not instrument.is_active:
            raise MarketInactiveError(instrument.symbol)
        if share <= instrument.minimum_notional:
            raise CapitalTooSmallError(
                capital=share, minimum=instrument.minimum_notional, currency=instrument.settle
            )


def share_of(capital: Decimal, *, definition: Definition, params: StrategyParams) -> Decimal:
    """Return the part of *capital* that one position has: all of it, unless they share a wallet."""
    rules = definition.rules(params)
    return capital / rules.max_open_positions if rules.splits_capital else capital
