"""Orders that close a position, or a part of it, at once: whether one is on its way, and what if not."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet

from foundation.transactions import part_of_transaction
from market.enums import InstrumentKind, Leg, OrderStatus, OrderType
from market.orders import TERMINAL, WORKING
from trading.models import Deployment, DeploymentPosition, IntentStatus, Order, OrderIntent
from trading.services import health, intents

#: An exit is tried again after 1, 2, 4 … pauses, at most this many.
_LONGEST_PAUSE: Final = 60

#: So many attempts without success are a reason to call for a person.
_ATTEMPTS_BEFORE_ALARM: Final = 3


@part_of_transaction
def give_up(deployment: Deployment, *, position: DeploymentPosition) -> None:
    """See to it that an exit which came to nothing is not tried again on the next position."""
    working = Order.objects.filter(
        deployment=deployment,
        instrument_id=position.instrument_id,
        status__in=[status.value for status in (*WORKING, OrderStatus.FILLED)],
    )
    _exits_of(deployment, position).filter(status=IntentStatus.ORDERED).exclude(
        orders__in=working
    ).update(status=IntentStatus.SUPERSEDED)


def _exits_of(
    deployment: Deployment, position: DeploymentPosition
) -> QuerySet[OrderIntent, OrderIntent]:
    """Return what closes a position, or a part of it, at once: not the targets that rest."""
    leaves = Q(leg=Leg.EXIT.value) | Q(leg=Leg.TARGET.value, order_type=OrderType.MARKET.value)
    if not targets_rest(position):
        leaves |= Q(leg=Leg.TARGET.value)
    exits = OrderIntent.objects.filter(
        leaves, deployment=deployment, instrument_id=position.instrument_id
    )
    if position.opened_at is not None:
        # The venue's clock against ours: a little slack.
        recent = Q(entry=None, created_at__gte=position.opened_at - timedelta(minutes=5))
        exits = exits.filter(recent | Q(entry_id=position.entry_id, entry__isnull=False))
    return exits


def targets_rest(position: DeploymentPosition) -> bool:
    """Tell whether a target can rest at the venue beside the stop, both for the whole position."""
    return bool(position.instrument.kind != InstrumentKind.SPOT)


@part_of_transaction
def is_under_way(deployment: Deployment, *, position: DeploymentPosition, now: datetime) -> bool:
    """Tell whether an exit is waiting or working; one that came to nothing is sent again."""
    exits = _exits_of(deployment, position).filter(
        status__in=[IntentStatus.NEW, IntentStatus.ORDERED]
    )
    under_way = False
    for intent in exits.order_by("pk"):
        if intent.status == IntentStatus.NEW:
            under_way = True
            continue
        last = Order.objects.filter(intent=intent).order_by("-attempt").first()
        if last is None or OrderStatus(last.status) in WORKING:
            under_way = True
        elif intent.order_type != OrderType.MARKET:
            # A target that was taken back: the stop is there again.
            continue
        elif last.status != OrderStatus.FILLED and OrderStatus(last.status) in TERMINAL:
            try_again(deployment, intent=intent, attempts=last.attempt + 1, now=now)
            under_way = True
    return under_way


@part_of_transaction
def try_again(deployment: Deployment, *, intent: OrderIntent, attempts: int, now: datetime) -> None:
    """Let an exit, or a stop, that came to nothing be sent again, ever later; call for a person in time."""
    pause_s = min(2 ** (attempts - 1), _LONGEST_PAUSE) * settings.HORIZONS.retry_s
    intents.postpone(intent, until=now + timedelta(seconds=pause_s))
    if attempts >= _ATTEMPTS_BEFORE_ALARM:
        message = f"{intent.leg.capitalize()} has failed {attempts} times; it is tried again."
        health.degrade(deployment, code=health.EXIT_FAILING, message=message, now=now)
