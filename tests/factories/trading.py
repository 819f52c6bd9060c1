"""Deployments on accounts whose venue lives in the process of the test."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import User
from exchanges.adapters.factory import MEMORY
from exchanges.models import AccountKind, AccountStatus, ExchangeAccount, Instrument
from foundation.audit import Actor
from market.enums import Leg, OrderType, Side
from strategies.services import catalogue
from tests.factories import billing
from tests.factories import exchanges as exchange_factory
from trading.models import (
    ActualState,
    Deployment,
    DeploymentRevision,
    Order,
    OrderIntent,
    StopPolicy,
)
from trading.services import deployments, orders

#: The code of the venue that ``memory.use_venue`` is told about.
VENUE_CODE = "memory"


def make_memory_instrument(**fields: Any) -> Instrument:
    """Return BTC/USDT at the venue in memory, with the steps that it has there."""
    venue = exchange_factory.make_venue(VENUE_CODE, ccxt_id=MEMORY, takes_live_accounts=True)
    return exchange_factory.make_instrument("BTC/USDT", venue=venue, **fields)


def make_account(
    owner: User, instrument: Instrument, *, kind: AccountKind, now: datetime, **fields: Any
) -> ExchangeAccount:
    """Return a connected account at the venue of *instrument*."""
    defaults: dict[str, Any] = {
        "label": kind.label,
        "status": AccountStatus.ACTIVE,
        "connected_at": now,
    }
    return ExchangeAccount.objects.create(
        owner=owner, venue=instrument.venue, kind=kind, **(defaults | fields)
    )


def make_deployment(
    account: ExchangeAccount,
    *,
    now: datetime,
    is_started: bool = True,
    is_subscribed: bool = True,
    **fields: Any,
) -> Deployment:
    """Return an EMA crossover of 2 over 5 bars on BTC/USDT, with 10,000 USDT, already running.

    Its owner subscribes to the strategy first, for free and without an end.
    """
    catalogue.sync_catalogue(now=now)
    arguments: dict[str, Any] = {
        "owner": account.owner,
        "name": "Crossover",
        "strategy_slug": "ema-crossover",
        "account_public_id": account.public_id,
        "symbol": "BTC/USDT",
        "timeframe": "1m",
        "parameters": {"short_ema_period": 2, "long_ema_period": 5},
        "capital": Decimal(10_000),
        "stop_policy": StopPolicy.FLATTEN.value,
        "by": Actor.person(account.owner.pk),
        "now": now,
    }
    arguments |= fields
    if is_subscribed:
        billing.subscribe(arguments["owner"], arguments["strategy_slug"])
    deployment = deployments.deploy(**arguments)
    if is_started:
        deployment.actual_state = ActualState.RUNNING
        deployment.save(update_fields=["actual_state"])
    return deployment


def put_under_review(order: Order, *, now: datetime) -> None:
    """Let *order* contradict what its exchange says."""
    with transaction.atomic():
        is_there = orders.review(
            order, contradiction="two orders of one id", evidence={}, message="", now=now
        )
    assert is_there


def make_intent(
    deployment: Deployment,
    instrument: Instrument,
    *,
    now: datetime,
    leg: Leg = Leg.ENTRY,
    side: Side = Side.BUY,
    quantity: Decimal = Decimal("0.1"),
    key: str = "",
    **fields: Any,
) -> OrderIntent:
    """Return a waiting decision to trade at the market, with a stop of 2 % and a target of 4 %."""
    is_entry = leg is Leg.ENTRY
    defaults: dict[str, Any] = {
        "order_type": OrderType.MARKET.value,
        "reduce_only": not is_entry,
        "stop_percent": 2.0 if is_entry else 0.0,
        "target_percent": 4.0 if is_entry else 0.0,
        "decided_price": Decimal(40_000),
        "epoch": deployment.epoch,
        "not_before": now,
        "bar_close_at": now,
    }
    revision = DeploymentRevision.objects.filter(deployment=deployment).latest("number")
    return OrderIntent.objects.create(
        owner=deployment.owner,
        deployment=deployment,
        revision=revision,
        account=deployment.account,
        instrument=instrument,
        decision_key=key or f"{leg.value}-{OrderIntent.objects.count()}",
        leg=leg.value,
        side=side.value,
        quantity=quantity,
        **(defaults | fields),
    )
