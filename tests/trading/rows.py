"""A person's trading as it looks after a while, made by the services themselves."""

import math
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models.base import ModelState
from django.utils import timezone

from accounts.models import User
from exchanges.adapters import memory
from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.protocol import OrderRequest
from exchanges.models import AccountKind, Instrument
from market.enums import Leg, OrderType, Side
from market.timeframes import Timeframe, to_milliseconds
from tests.factories import exchanges as exchange_factory
from tests.factories import trading as factory
from trading.models import (
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
)
from trading.services import evaluation, orders, reconciliation, submission
from trading.services.order_plans import Planned

_HISTORY = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Traded:
    """A deployment that has traded, where, and until when."""

    deployment: Deployment
    instrument: Instrument
    venue: InMemoryVenue
    now: datetime


def make_traded_deployment(
    owner: User, *, kind: AccountKind = AccountKind.LIVE, is_open: bool = True, **fields: Any
) -> Traded:
    """Return a deployment of *owner* that has decided for hours, bought, sold and bought again.

    The market is a wave; with ``is_open`` the last position is open, with its stop at the venue.
    """
    venue = InMemoryVenue()
    memory.use_venue(factory.VENUE_CODE, venue)
    now = timezone.now()
    instrument = factory.make_memory_instrument()
    account = factory.make_account(owner, instrument, kind=kind, now=now)
    started = now - _HISTORY
    deployment = factory.make_deployment(account, now=started, **fields)
    _store_wave(instrument, until=now)
    evaluation.evaluate_signal_group(
        group_id=deployment.revisions.get().group_id, now=now - timedelta(minutes=2)
    )
    traded = Traded(deployment, instrument, venue, now)
    if kind is AccountKind.LIVE:
        _trade(traded, Leg.ENTRY, Side.BUY)
        _trade(traded, Leg.EXIT, Side.SELL)
        if is_open:
            _trade(traded, Leg.ENTRY, Side.BUY)
    deployment.refresh_from_db()
    return traded


def _trade(traded: Traded, leg: Leg, side: Side) -> None:
    quantity = Decimal("0.1") if leg is Leg.ENTRY else Decimal("0.0999")
    factory.make_intent(
        traded.deployment, traded.instrument, now=traded.now, leg=leg, side=side, quantity=quantity
    )
    submission.submit_due_intents(now=traded.now)
    reconciliation.reconcile_account(account_id=traded.deployment.account_id, now=traded.now)


def _store_wave(instrument: Instrument, *, until: datetime) -> None:
    """Store 400 one-minute bars up to *until*."""
    last = Timeframe.M1.open_of(to_milliseconds(until)) - Timeframe.M1.milliseconds
    closes = [40_000 + 400 * math.sin(bar / 9) + 130 * math.sin(bar / 2) for bar in range(400)]
    candles = exchange_factory.make_candles(
        closes,
        timeframe=Timeframe.M1,
        first_open_ms=last - (len(closes) - 1) * Timeframe.M1.milliseconds,
    )
    exchange_factory.store_candles(instrument, Timeframe.M1, candles)


def copy_deployment(deployment: Deployment, *, times: int) -> None:
    """Put *times* copies of a deployment with what it holds beside it, all of which have ended."""
    traded = DeploymentInstrument.objects.get(deployment=deployment)
    held = DeploymentPosition.objects.get(deployment=deployment)
    copies = []
    for number in range(times):
        copied = copy(deployment)
        copied.pk, copied.public_id, copied.request_key = None, uuid4(), ""
        copied.name = f"Copy {number}"
        copied.desired_state, copied.actual_state = "STOPPED", "STOPPED"
        copied._state = ModelState()
        copies.append(copied)
    made = Deployment.objects.bulk_create(copies)
    traded_too, held_too = [], []
    for copied in made:
        instrument, position = copy(traded), copy(held)
        instrument.pk = position.pk = None
        instrument.deployment, position.deployment = copied, copied
        instrument.is_active = False
        traded_too.append(instrument)
        held_too.append(position)
    DeploymentInstrument.objects.bulk_create(traded_too)
    DeploymentPosition.objects.bulk_create(held_too)


def send_more_orders(traded: Traded, *, times: int) -> None:
    """Let a deployment send *times* orders more."""
    intents = [
        factory.make_intent(
            traded.deployment, traded.instrument, now=traded.now, key=f"more-{number}"
        )
        for number in range(times)
    ]
    with transaction.atomic():
        orders.create_many([Planned(each, each.quantity) for each in intents], now=traded.now)


def someone_elses_order(traded: Traded, *, client_order_id: str = "by-hand-1") -> None:
    """Let the owner of *traded* rest an order on the account by hand, and have it noticed."""
    request = OrderRequest(
        client_order_id=client_order_id,
        symbol=traded.instrument.symbol,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal("0.25"),
        price=Decimal(30_000),
    )
    traded.venue.book.place(str(traded.deployment.account.public_id), request)
    reconciliation.reconcile_account(account_id=traded.deployment.account_id, now=traded.now)
