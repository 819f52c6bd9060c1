"""What protects a position, kept in step with what was really filled.

``follow`` looks at the rows and does what is missing; it may be called any number of times. A stop
rests at the venue for as long as a position is open and no exit is on its way; if it cannot be
placed, the position is closed at once. Exits that came to nothing are tried again.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import QuerySet, Sum

from foundation.crashpoints import crashpoint
from foundation.transactions import part_of_transaction
from market import matching, money
from market.enums import Leg, OrderActor, OrderStatus, OrderType, Side
from market.orders import TERMINAL, WORKING
from trading.domain import kernel, keys, sizing
from trading.models import (
    IDLE_STATES,
    ActualState,
    Deployment,
    DeploymentPosition,
    IntentStatus,
    Order,
    OrderIntent,
    StopPolicy,
)
from trading.selectors import markets
from trading.services import health, intents, orders

#: After so many stops for one entry, something is wrong that another stop does not cure.
_MOST_STOPS: Final = 20

#: An exit is tried again after 1, 2, 4 … pauses, at most this many.
_LONGEST_PAUSE: Final = 60

#: So many attempts without success are a reason to call for a person.
_ATTEMPTS_BEFORE_ALARM: Final = 3

_RESTING: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


@part_of_transaction
def follow(deployment: Deployment, *, instrument_id: int, now: datetime) -> None:
    """Bring the protection of a locked *deployment*'s position in line with the position."""
    position = (
        DeploymentPosition.objects.select_for_update(of=("self",))
        .select_related("instrument")
        .filter(deployment=deployment, instrument_id=instrument_id)
        .first()
    )
    if position is None or markets.is_paper(deployment.account):
        return
    steps = markets.steps_of(position.instrument)
    price = position.last_price or position.average_price
    if not sizing.is_tradable(position.quantity, price=price, steps=steps):
        _after_close(deployment, position, now=now)
        return
    if exit_is_under_way(deployment, position=position, now=now):
        return
    # What was left to its owner keeps the stop that rests; whether it stays is theirs to say.
    if not _is_left_to_its_owner(deployment):
        _protect(deployment, position, now=now)


def _is_left_to_its_owner(deployment: Deployment) -> bool:
    """Tell whether no stop is placed any more for what *deployment* holds."""
    match deployment.stop_policy:
        case StopPolicy.CANCEL:
            return deployment.actual_state in {*IDLE_STATES, ActualState.STOPPING}
        case StopPolicy.PROTECT:
            return deployment.actual_state in IDLE_STATES
        case _:
            return False


@part_of_transaction
def cancel_resting(
    deployment: Deployment,
    *,
    instrument_id: int,
    legs: frozenset[Leg],
    now: datetime,
    why: str,
    by: OrderActor = OrderActor.STRATEGY,
) -> None:
    """Ask for the cancellation of what rests at the venue for a locked *deployment*."""
    resting = Order.objects.select_for_update(of=("self",)).filter(
        deployment=deployment,
        instrument_id=instrument_id,
        leg__in=[leg.value for leg in legs],
        status__in=[status.value for status in _RESTING],
    )
    for order in resting.order_by("pk"):
        order.deployment = deployment
        orders.request_cancel(order, actor=by, now=now, why=why)


def _after_close(deployment: Deployment, position: DeploymentPosition, *, now: datetime) -> None:
    """Clear away what protected a position that is no more."""
    intents.supersede(
        OrderIntent.objects.filter(
            deployment=deployment, instrument_id=position.instrument_id, reduce_only=True
        ),
        code="POSITION_CLOSED",
    )
    _give_up_exits(deployment, position)
    cancel_resting(
        deployment,
        instrument_id=position.instrument_id,
        legs=frozenset({Leg.STOP, Leg.TARGET}),
        now=now,
        why="the position is closed",
    )
    health.recover(deployment, codes={health.STOP_NOT_PLACED, health.EXIT_FAILING}, now=now)
    if position.stop_price or position.target_price or position.opened_at:
        position.stop_price = position.target_price = position.opened_at = None
        position.save(update_fields=["stop_price", "target_price", "opened_at"])


def _give_up_exits(deployment: Deployment, position: DeploymentPosition) -> None:
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
    exits = OrderIntent.objects.filter(
        deployment=deployment,
        instrument_id=position.instrument_id,
        leg__in=[Leg.EXIT.value, Leg.TARGET.value],
    )
    if position.opened_at is not None:
        # The venue's clock against ours: a little slack.
        exits = exits.filter(created_at__gte=position.opened_at - timedelta(minutes=5))
    return exits


@part_of_transaction
def exit_is_under_way(
    deployment: Deployment, *, position: DeploymentPosition, now: datetime
) -> bool:
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
        elif last.status != OrderStatus.FILLED and OrderStatus(last.status) in TERMINAL:
            _try_again(deployment, intent, attempts=last.attempt + 1, now=now)
            under_way = True
    return under_way


def _try_again(
    deployment: Deployment, intent: OrderIntent, *, attempts: int, now: datetime
) -> None:
    pause_s = min(2 ** (attempts - 1), _LONGEST_PAUSE) * settings.HORIZONS.retry_s
    intents.postpone(intent, until=now + timedelta(seconds=pause_s))
    if attempts >= _ATTEMPTS_BEFORE_ALARM:
        message = f"{intent.leg.capitalize()} has failed {attempts} times; it is tried again."
        health.degrade(deployment, code=health.EXIT_FAILING, message=message, now=now)


def _protect(deployment: Deployment, position: DeploymentPosition, *, now: datetime) -> None:
    entry = (
        OrderIntent.objects.filter(
            deployment=deployment,
            instrument_id=position.instrument_id,
            leg=Leg.ENTRY.value,
            orders__filled_quantity__gt=0,
        )
        .order_by("-pk")
        .first()
    )
    if entry is None:
        return
    stop, target = _levels(deployment, position, entry)
    if (position.stop_price, position.target_price) != (stop, target):
        position.stop_price, position.target_price = stop, target
        position.version += 1
        position.save(update_fields=["stop_price", "target_price", "version"])
    if stop is not None:
        _place_stop(deployment, position, entry, trigger=stop, now=now)


def _levels(
    deployment: Deployment, position: DeploymentPosition, entry: OrderIntent
) -> tuple[Decimal | None, Decimal | None]:
    """Return stop and target prices, anchored on what was really paid."""
    steps = markets.steps_of(position.instrument)
    levels = matching.protective_ticks(
        entry_side=Side(entry.side),
        average_price=money.float_of(position.average_price),
        stop_percent=entry.stop_percent,
        target_percent=entry.target_percent,
        costs=markets.costs_for(position.instrument, deployment.account.venue),
    )
    stop, target = (
        money.from_ticks(ticks, tick=steps.tick_size) if ticks else None for ticks in levels
    )
    return stop, target


def _place_stop(
    deployment: Deployment,
    position: DeploymentPosition,
    entry: OrderIntent,
    *,
    trigger: Decimal,
    now: datetime,
) -> None:
    steps = markets.steps_of(position.instrument)
    wanted = money.quantize_quantity(abs(position.quantity), step=steps.lot_step)
    placed = list(
        OrderIntent.objects.filter(
            deployment=deployment,
            leg=Leg.STOP.value,
            decision_key__startswith=keys.protective_key(entry.decision_key, number=0)[:-1],
        ).order_by("pk")
    )
    if placed and _failed(placed[-1]):
        _flatten(deployment, position, stop=placed[-1], now=now)
        return
    if any(_covers(intent, quantity=wanted, trigger=trigger) for intent in placed):
        return
    if placed and _never_arrived(placed[-1]):
        attempts = placed[-1].orders.count()
        _try_again(deployment, placed[-1], attempts=attempts, now=now)
        return
    if len(placed) >= _MOST_STOPS:
        _flatten(deployment, position, stop=placed[-1], now=now)
        return
    # One with another size or price is in the way: it goes before its successor is sent.
    intents.supersede(
        OrderIntent.objects.filter(pk__in=[intent.pk for intent in placed]), code="RESIZED"
    )
    cancel_resting(
        deployment,
        instrument_id=position.instrument_id,
        legs=frozenset({Leg.STOP}),
        now=now,
        why="the position has another size",
    )
    values = kernel.IntentValues(
        leg=Leg.STOP,
        side=sizing.closing_side(position.quantity),
        order_type=OrderType.STOP_LOSS,
        quantity=wanted,
        price=None,
        trigger_price=trigger,
        reduce_only=True,
        stop_percent=0.0,
        target_percent=0.0,
    )
    decided = intents.Decided(
        deployment=deployment,
        revision_id=entry.revision_id,
        instrument_id=position.instrument_id,
        key=keys.protective_key(entry.decision_key, number=len(placed)),
        values=values,
        decided_price=trigger,
        bar_close_at=entry.bar_close_at,
        reason="",
    )
    intents.write([decided], now=now)
    crashpoint("protection.stop_decided")


def _failed(stop: OrderIntent) -> bool:
    """Tell whether a stop was refused, by us or by the venue."""
    if stop.status == IntentStatus.DENIED:
        return True
    last = Order.objects.filter(intent=stop).order_by("-attempt").first()
    return last is not None and last.status == OrderStatus.REJECTED


def _never_arrived(stop: OrderIntent) -> bool:
    """Tell whether the venue has proven not to have a stop, without having refused it."""
    last = Order.objects.filter(intent=stop).order_by("-attempt").first()
    return (
        stop.status == IntentStatus.ORDERED
        and last is not None
        and last.status in {OrderStatus.DENIED, OrderStatus.ABANDONED}
    )


def _covers(stop: OrderIntent, *, quantity: Decimal, trigger: Decimal) -> bool:
    """Tell whether a stop waits, works or is in doubt with this size and price."""
    if stop.trigger_price != trigger:
        return False
    if stop.status == IntentStatus.NEW:
        waits_for: Decimal = stop.quantity
        return waits_for == quantity
    if stop.status != IntentStatus.ORDERED:
        return False
    last = Order.objects.filter(intent=stop).order_by("-attempt").first()
    if last is None or OrderStatus(last.status) not in WORKING:
        return False
    if last.status in {OrderStatus.SUBMITTING, OrderStatus.UNKNOWN}:
        # Whether it rests is not known yet; two stops would be worse than a late one.
        return True
    if last.status == OrderStatus.PENDING_CANCEL:
        return False
    left: Decimal = last.quantity - last.filled_quantity
    return left == quantity


def _flatten(
    deployment: Deployment, position: DeploymentPosition, *, stop: OrderIntent, now: datetime
) -> None:
    health.degrade(
        deployment,
        code=health.STOP_NOT_PLACED,
        message="The stop could not be placed, so the position is closed.",
        now=now,
    )
    intents.write_exit(
        deployment,
        position=position,
        key=keys.emergency_key(stop.decision_key),
        reason="STOP_NOT_PLACED",
        now=now,
    )


def deployed_quantity(*, account_id: int, instrument_id: int) -> Decimal:
    """Return what the deployments on an account hold of an instrument by their fills.

    What an ended one has left is its owner's, who may sell it without telling us.
    """
    total = (
        DeploymentPosition.objects.filter(
            deployment__account_id=account_id, instrument_id=instrument_id
        )
        .exclude(deployment__actual_state__in=[ActualState.STOPPED, ActualState.FAILED])
        .aggregate(total=Sum("quantity"))["total"]
    )
    return total or Decimal(0)
