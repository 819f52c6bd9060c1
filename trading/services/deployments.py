"""Deployments: made from checked input, and ended when everything they own is settled."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from django.db import IntegrityError, transaction

from exchanges.selectors import accounts, instruments
from exchanges.services import feeds, leases
from foundation import audit
from foundation.audit import Actor
from foundation.events import publish
from foundation.transactions import part_of_transaction, transactional
from market.enums import InstrumentKind
from market.errors import (
    ConflictError,
    FieldProblem,
    InvalidInputError,
    PlatformError,
    UnprocessableError,
)
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies import registry
from strategies.registry import Definition
from strategies.selectors import catalogue
from strategies.shapes import StrategyParams
from trading import events
from trading.domain import kernel
from trading.models import (
    ActualState,
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    DeploymentRevision,
    SignalGroup,
    StopPolicy,
)
from trading.selectors import markets
from trading.selectors.owners import Owner
from trading.services import groups

if TYPE_CHECKING:
    from accounts.models import User
    from exchanges.models import ExchangeAccount, Instrument

#: More than any strategy is meant for, and few enough to be read as a number.
MAXIMUM_CAPITAL: Final = Decimal(1_000_000_000)

#: Deployments of one person that have not ended.
MAXIMUM_DEPLOYMENTS: Final = 50

_LONGEST_NAME: Final = 80
_LONGEST_KEY: Final = 100


class InvalidDeploymentError(InvalidInputError):
    """What was asked for cannot be deployed; ``problems`` names every field that is wrong."""

    code = "invalid_deployment"


class AccountNotReadyError(ConflictError):
    """No orders can be sent for the account."""

    code = "account_not_ready"

    def __init__(self, label: str) -> None:
        super().__init__(f"The account “{label}” is not connected. Test its key first.")


class CapitalTooSmallError(UnprocessableError):
    """The capital does not pay for the smallest order of the market."""

    code = "capital_too_small"

    def __init__(self, *, capital: Decimal, minimum: Decimal, currency: str) -> None:
        super().__init__(
            f"{capital.normalize():f} {currency} is less than the smallest order here, "
            f"{minimum.normalize():f} {currency}."
        )


class TooManyDeploymentsError(UnprocessableError):
    """The person has too many deployments that have not ended."""

    code = "too_many_deployments"

    def __init__(self) -> None:
        super().__init__(f"You have {MAXIMUM_DEPLOYMENTS} deployments. Stop one to start another.")


class InstrumentTakenError(ConflictError):
    """Another deployment trades the contract on this account; there a position has one owner."""

    code = "instrument_taken"

    def __init__(self, symbol: str) -> None:
        super().__init__(f"Another deployment trades {symbol} on this account. Stop it first.")


@dataclass(frozen=True, slots=True)
class _Order:
    """A checked request for a deployment."""

    name: str
    definition: Definition
    params: StrategyParams
    account: "ExchangeAccount"
    instrument: "Instrument"
    timeframe: Timeframe
    capital: Decimal
    stop_policy: StopPolicy


@transactional
def deploy(
    *,
    owner: Owner,
    name: str,
    strategy_slug: str,
    account_public_id: UUID,
    symbol: str,
    timeframe: str,
    parameters: Mapping[str, object],
    capital: Decimal,
    stop_policy: str = StopPolicy.FLATTEN.value,
    parameters_are_text: bool = False,
    request_key: str = "",
    by: Actor,
    now: datetime,
) -> Deployment:
    """Start a strategy on an account of *owner*; it decides from the next bar that closes.

    *capital* is in the settle currency. The same *request_key* again returns the deployment that it
    made, whatever else is asked for. Raises InvalidDeploymentError with every problem at once,
    or UnknownStrategyError, AccountNotReadyError, CapitalTooSmallError, InstrumentTakenError,
    TooManyDeploymentsError; an account of somebody else is not found.
    """
    if len(request_key) > _LONGEST_KEY:
        raise InvalidDeploymentError(
            problems=[
                FieldProblem("idempotency_key", "too_long", f"At most {_LONGEST_KEY} characters.")
            ]
        )
    order = _check(
        owner=owner,
        name=name,
        strategy_slug=strategy_slug,
        account_public_id=account_public_id,
        symbol=symbol,
        timeframe=timeframe,
        parameters=parameters,
        capital=capital,
        stop_policy=stop_policy,
        parameters_are_text=parameters_are_text,
    )
    version = catalogue.version_of_code(order.definition)
    group = _group(order, version_id=version.pk, now=now)
    try:
        with transaction.atomic():
            deployment = Deployment.objects.create(
                owner_id=order.account.owner_id,
                request_key=request_key,
                name=order.name,
                strategy_version=version,
                account=order.account,
                timeframe=order.timeframe.value,
                capital=order.capital,
                stop_policy=order.stop_policy,
                started_at=now,
            )
    except IntegrityError:
        return Deployment.objects.get(owner_id=owner.pk, request_key=request_key)
    if _running(owner) > MAXIMUM_DEPLOYMENTS:
        raise TooManyDeploymentsError
    _add_parts(deployment, order, group, now)
    feeds.hold(
        instrument_id=order.instrument.pk,
        timeframe=order.timeframe,
        holder=groups.feed_holder(group.pk),
        backfill_from_at=group.anchor_at,
    )
    leases.reconcile_soon(account_id=order.account.pk, at=now)
    audit.record(actor=by, verb="deployment.started", target=deployment, owner_id=owner.pk)
    publish(
        events.DEPLOYMENT_STARTED,
        occurred_at=now,
        owner_id=owner.pk,
        deployment_id=deployment.pk,
    )
    return deployment


@part_of_transaction
def mark_stopped(deployment: Deployment, *, now: datetime) -> None:
    """End a locked *deployment* for which nothing works any more, and let go of what it held."""
    deployment.actual_state = ActualState.STOPPED
    deployment.stopped_at = now
    deployment.version += 1
    deployment.save(update_fields=["actual_state", "stopped_at", "version"])
    revision = (
        DeploymentRevision.objects.filter(deployment=deployment, to_bar_at=None)
        .select_related("group")
        .first()
    )
    if revision is not None:
        revision.to_bar_at = now
        revision.save(update_fields=["to_bar_at"])
        _release_feeds(revision.group)
    DeploymentInstrument.objects.filter(deployment=deployment).update(is_active=False)
    publish(
        events.DEPLOYMENT_STOPPED,
        occurred_at=now,
        owner_id=deployment.owner_id,
        deployment_id=deployment.pk,
    )


def _check(
    *,
    owner: Owner,
    name: str,
    strategy_slug: str,
    account_public_id: UUID,
    symbol: str,
    timeframe: str,
    parameters: Mapping[str, object],
    capital: Decimal,
    stop_policy: str,
    parameters_are_text: bool,
) -> _Order:
    definition = registry.get_definition(strategy_slug)
    account = accounts.get_account_for(cast("User", owner), public_id=account_public_id)
    problems: list[FieldProblem] = []
    params: StrategyParams | None = None
    instrument: Instrument | None = None
    try:
        params = registry.validate_params(definition, parameters, strict=not parameters_are_text)
    except registry.InvalidParametersError as error:
        problems += error.problems
    try:
        instrument = instruments.get_instrument(account.venue.code, symbol)
    except PlatformError as error:
        problems.append(FieldProblem("symbol", error.code, error.message))
    shown = name.strip()
    if not 1 <= len(shown) <= _LONGEST_NAME:
        text = f"Give it a name of 1 to {_LONGEST_NAME} characters."
        problems.append(FieldProblem("name", "out_of_range", text))
    if timeframe not in set(Timeframe):
        text = f"“{timeframe[:10]}” is no timeframe. Use one of {', '.join(Timeframe)}."
        problems.append(FieldProblem("timeframe", "unknown_timeframe", text))
    if not capital.is_finite() or not 0 < capital <= MAXIMUM_CAPITAL:
        text = f"The capital must be more than 0 and at most {MAXIMUM_CAPITAL:,}."
        problems.append(FieldProblem("capital", "out_of_range", text))
    if stop_policy not in StopPolicy.values:
        text = f"Use one of {', '.join(StopPolicy.values)}."
        problems.append(FieldProblem("stop_policy", "unknown_choice", text))
    if problems or params is None or instrument is None:
        message = " ".join(problem.message for problem in problems)
        raise InvalidDeploymentError(message, problems=problems)
    _check_market(account, instrument, capital)
    return _Order(
        name=shown,
        definition=definition,
        params=params,
        account=account,
        instrument=instrument,
        timeframe=Timeframe(timeframe),
        capital=capital,
        stop_policy=StopPolicy(stop_policy),
    )


def _check_market(account: "ExchangeAccount", instrument: "Instrument", capital: Decimal) -> None:
    if not markets.is_connected(account):
        raise AccountNotReadyError(account.label)
    if not instrument.is_active:
        message = f"{instrument.symbol} does not trade at the moment."
        raise InvalidDeploymentError(
            message, problems=[FieldProblem("symbol", "market_inactive", message)]
        )
    if capital <= instrument.minimum_notional:
        raise CapitalTooSmallError(
            capital=capital, minimum=instrument.minimum_notional, currency=instrument.settle
        )


def _group(order: _Order, *, version_id: int, now: datetime) -> SignalGroup:
    fields = type(order.params).model_fields
    chosen = {
        name: value
        for name, value in order.params.model_dump(mode="json").items()
        if _affects_signal(fields[name].json_schema_extra)
    }
    return groups.get_or_create_group(
        strategy_version_id=version_id,
        instrument_ids=[order.instrument.pk],
        timeframe=order.timeframe,
        signal_parameters=chosen,
        signal_hash=registry.signal_parameters_hash(order.params),
        warm_up_bars=order.definition.requirements(order.params).warm_up_bars,
        now=now,
    )


def _affects_signal(extra: object) -> bool:
    return isinstance(extra, Mapping) and extra.get("affects") == "signal"


def _add_parts(deployment: Deployment, order: _Order, group: SignalGroup, now: datetime) -> None:
    kind = InstrumentKind(order.instrument.kind)
    rules = order.definition.rules(order.params).for_instrument(kind)
    forming_ms = order.timeframe.open_of(to_milliseconds(now))
    DeploymentRevision.objects.create(
        owner_id=deployment.owner_id,
        deployment=deployment,
        number=1,
        group=group,
        parameters=order.params.model_dump(mode="json"),
        rules=kernel.rules_to_json(rules),
        from_bar_at=from_milliseconds(forming_ms),
    )
    try:
        with transaction.atomic():
            DeploymentInstrument.objects.create(
                owner_id=deployment.owner_id,
                deployment=deployment,
                account=order.account,
                instrument=order.instrument,
                is_exclusive=kind is not InstrumentKind.SPOT,
            )
    except IntegrityError:
        raise InstrumentTakenError(order.instrument.symbol) from None
    DeploymentPosition.objects.create(
        owner_id=deployment.owner_id, deployment=deployment, instrument=order.instrument
    )


def _running(owner: Owner) -> int:
    ended = [ActualState.STOPPED, ActualState.FAILED]
    return Deployment.objects.filter(owner_id=owner.pk).exclude(actual_state__in=ended).count()


def _release_feeds(group: SignalGroup) -> None:
    if groups.is_in_use(group.pk):
        return
    for instrument in group.instruments.order_by("pk"):
        feeds.release(
            instrument_id=instrument.pk,
            timeframe=Timeframe(group.timeframe),
            holder=groups.feed_holder(group.pk),
        )
