"""Deployments: made from checked input, and ended when everything they own is settled."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.services import entitlements
from foundation import audit
from foundation.audit import Actor
from foundation.events import publish
from foundation.transactions import part_of_transaction, transactional
from market.enums import InstrumentKind
from market.errors import ConflictError, FieldProblem
from strategies.selectors import catalogue
from trading import events
from trading.domain import kernel
from trading.models import (
    ActualState,
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    DesiredState,
    StopPolicy,
)
from trading.selectors.owners import Owner
from trading.services import limits, restrictions, revisions, rights, terms
from trading.services.terms import InvalidDeploymentError, Terms

_LONGEST_KEY: Final = 100


class InstrumentTakenError(ConflictError):
    """Another deployment trades the contract on this account; there a position has one owner."""

    code = "instrument_taken"

    def __init__(self, symbol: str) -> None:
        super().__init__(f"Another deployment trades {symbol} on this account. Stop it first.")


@transactional
def deploy(
    *,
    owner: Owner,
    name: str,
    strategy_slug: str,
    account_public_id: UUID,
    symbol: str = "",
    universe: str = "",
    timeframe: str,
    parameters: Mapping[str, object],
    capital: Decimal,
    stop_policy: str = StopPolicy.FLATTEN.value,
    parameters_are_text: bool = False,
    starts: bool = True,
    protections: Mapping[str, object] = MappingProxyType({}),
    request_key: str = "",
    by: Actor,
    now: datetime,
) -> Deployment:
    """Start a strategy on an account of *owner*; it decides from the next bar that closes.

    Without *starts* it stays a draft, which trades nothing and counts for no limit until it is started.
    *symbol* is one at the account's venue; a strategy that looks at many gets a *universe* instead,
    written ``binance:BTC/USDT,ETH/USDT`` and fixed from then on. *capital* is in the settle currency,
    *protections* are limits by their names, as ``limits.save_limits`` takes them.
    The same *request_key* again returns the deployment that it
    made, whatever else is asked for. Raises InvalidDeploymentError with every problem at once,
    or UnknownStrategyError, SubscriptionRequiredError, PlanLimitError, TooManyDeploymentsError,
    AccountNotReadyError, CapitalTooSmallError, InstrumentTakenError; an account of somebody else is
    not found.
    """
    if len(request_key) > _LONGEST_KEY:
        raise InvalidDeploymentError(
            problems=[
                FieldProblem("idempotency_key", "too_long", f"At most {_LONGEST_KEY} characters.")
            ]
        )
    # Requests of one person take turns from here on: a repeat finds the row of the first.
    entitlements.lock_billing(owner)
    known = Deployment.objects.filter(owner_id=owner.pk, request_key=request_key).first()
    if request_key and known is not None:
        return known
    agreed = terms.check_terms(
        owner=owner,
        name=name,
        strategy_slug=strategy_slug,
        account_public_id=account_public_id,
        symbol=symbol,
        universe=universe,
        timeframe=timeframe,
        parameters=parameters,
        capital=capital,
        stop_policy=stop_policy,
        parameters_are_text=parameters_are_text,
        protections=protections,
    )
    if not starts:
        draft = _create(agreed, starts=False, request_key=request_key, now=now)
        _limit(draft, protections, by=by, now=now)
        audit.record(actor=by, verb="deployment.drafted", target=draft, owner_id=owner.pk)
        return draft
    rights.require_start(owner, strategy_slug=strategy_slug, account=agreed.account, now=now)
    deployment = _create(agreed, starts=True, request_key=request_key, now=now)
    _limit(deployment, protections, by=by, now=now)
    audit.record(actor=by, verb="deployment.started", target=deployment, owner_id=owner.pk)
    publish(
        events.DEPLOYMENT_STARTED,
        occurred_at=now,
        owner_id=owner.pk,
        deployment_id=deployment.pk,
    )
    return deployment


def _limit(
    deployment: Deployment, protections: Mapping[str, object], *, by: Actor, now: datetime
) -> None:
    if protections:
        limits.store_limits(
            target=restrictions.of_deployment(deployment),
            owner_id=deployment.owner_id,
            values=protections,
            by=by,
            now=now,
        )


def _create(agreed: Terms, *, starts: bool, request_key: str, now: datetime) -> Deployment:
    version = catalogue.version_of_code(agreed.definition)
    account, ids = agreed.account, [each.pk for each in agreed.instruments]
    group = revisions.group_for(
        agreed.definition,
        params=agreed.params,
        strategy_version_id=version.pk,
        instrument_ids=ids,
        timeframe=agreed.timeframe,
        now=now,
    )
    deployment = Deployment.objects.create(
        owner_id=account.owner_id,
        request_key=request_key,
        name=agreed.name,
        strategy_version=version,
        account=account,
        timeframe=agreed.timeframe.value,
        capital=agreed.capital,
        stop_policy=agreed.stop_policy,
        desired_state=DesiredState.RUNNING if starts else DesiredState.STOPPED,
        actual_state=ActualState.STARTING if starts else ActualState.DRAFT,
        started_at=now if starts else None,
    )
    kind = InstrumentKind(agreed.instruments[0].kind)
    for instrument in agreed.instruments:
        traded = DeploymentInstrument(
            owner_id=deployment.owner_id,
            deployment=deployment,
            account=account,
            instrument=instrument,
            is_exclusive=kind is not InstrumentKind.SPOT,
            is_active=False,
        )
        if starts:
            claim_instrument(traded)
        else:
            traded.save()
    DeploymentPosition.objects.bulk_create(
        [
            DeploymentPosition(
                owner_id=deployment.owner_id, deployment=deployment, instrument=instrument
            )
            for instrument in agreed.instruments
        ]
    )
    rules = agreed.definition.rules(agreed.params).for_market(kind, agreed.timeframe)
    terms_of_it: dict[str, Any] = {
        "number": 1,
        "group": group,
        "parameters": agreed.params.model_dump(mode="json"),
        "rules": kernel.rules_to_json(rules),
        "now": now,
    }
    if starts:
        revisions.begin(deployment, instrument_ids=ids, **terms_of_it)
    else:
        revisions.note(deployment, **terms_of_it)
    return deployment


@part_of_transaction
def claim_instrument(row: DeploymentInstrument) -> None:
    """Save *row* as one that trades; raise InstrumentTakenError where there may be only one."""
    row.is_active = True
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise InstrumentTakenError(row.instrument.symbol) from None
