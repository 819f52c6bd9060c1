"""What a person is told of a deployment: on the platform's pages, and by mail where they did not do it.

Everything is written in the transaction of what it tells. About the same deployment there is at
most one mail of a kind an hour.
"""

from datetime import datetime
from typing import Final

from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from foundation.transactions import part_of_transaction
from market.enums import Leg, OrderStatus
from trading.models import Deployment, DeploymentCommand, Order
from trading.selectors import holdings

_LONGEST_NOTE: Final = 300


@part_of_transaction
def tell_stopped(deployment: Deployment, *, command: DeploymentCommand, now: datetime) -> None:
    """Tell the owner that *deployment* has stopped as *command* wanted; by mail unless they asked for it."""
    left = _what_is_left(deployment)
    if _is_by_owner(command):
        notify(
            owner_id=deployment.owner_id,
            kind=NotificationKind.DEPLOYMENT_STOPPED,
            key=f"deployment-stopped:{deployment.pk}:{command.pk}",
            title=f"“{deployment.name}” has stopped",
            body=f"You stopped it. {left}".strip(),
            path=_path(deployment),
        )
        return
    who = "An operator stopped it." if command.actor_kind == "person" else ""
    notify(
        owner_id=deployment.owner_id,
        kind=NotificationKind.DEPLOYMENT_STOPPED,
        key=_hourly("deployment-stopped", deployment, now),
        title=f"“{deployment.name}” was stopped",
        body=" ".join(part for part in (who, command.note[:_LONGEST_NOTE], left) if part),
        path=_path(deployment),
        level=NotificationLevel.WARNING,
        mail=MailKind.DEPLOYMENT_STOPPED,
        facts={"strategy": deployment.strategy_version.strategy.name},
    )


@part_of_transaction
def tell_failed(deployment: Deployment, *, command: DeploymentCommand, now: datetime) -> None:
    """Tell the owner that *deployment* could not go on and has ended."""
    notify(
        owner_id=deployment.owner_id,
        kind=NotificationKind.DEPLOYMENT_FAILED,
        key=_hourly("deployment-failed", deployment, now),
        title=f"“{deployment.name}” has failed",
        body=f"{command.note} {_what_is_left(deployment)}".strip(),
        path=_path(deployment),
        level=NotificationLevel.PROBLEM,
        mail=MailKind.DEPLOYMENT_FAILED,
        facts={"strategy": deployment.strategy_version.strategy.name},
    )


@part_of_transaction
def tell_order_problem(order: Order, *, what: str, now: datetime) -> None:
    """Tell the owner of an order that went wrong; *what* is a sentence."""
    words = f"{order.get_side_display()} {order.quantity.normalize():f} {order.instrument.symbol}"
    tell_trouble(order.deployment, what=f"{words}: {what}", now=now)


@part_of_transaction
def tell_trouble(deployment: Deployment, *, what: str, now: datetime) -> None:
    """Tell the owner of something about orders or positions that keeps *deployment* from its work."""
    notify(
        owner_id=deployment.owner_id,
        kind=NotificationKind.ORDER_PROBLEM,
        key=_hourly("order-problem", deployment, now),
        title=f"“{deployment.name}” has a problem with an order",
        body=what,
        path=_path(deployment),
        level=NotificationLevel.PROBLEM,
        mail=MailKind.ORDER_PROBLEM,
    )


@part_of_transaction
def tell_waiting(deployment: Deployment, *, what: str, now: datetime) -> None:
    """Tell the owner that *deployment* decides nothing because its candles do not come."""
    notify(
        owner_id=deployment.owner_id,
        kind=NotificationKind.CANDLES_LATE,
        key=_hourly("candles-late", deployment, now),
        title=f"“{deployment.name}” waits for candles",
        body=what,
        path=_path(deployment),
        level=NotificationLevel.WARNING,
    )


def _is_by_owner(command: DeploymentCommand) -> bool:
    """Tell whether the owner gave *command*, by a page, a program or a personal token."""
    return command.actor_identifier == str(command.owner_id) and command.actor_kind != "system"


def _what_is_left(deployment: Deployment) -> str:
    if not holdings.is_open(deployment):
        return "It holds nothing."
    stop_rests = Order.objects.filter(
        deployment=deployment,
        leg=Leg.STOP.value,
        status__in=[OrderStatus.ACCEPTED.value, OrderStatus.PARTIALLY_FILLED.value],
    ).exists()
    if stop_rests:
        return "The position is left to you, and its stop still rests at the exchange."
    return "The position is left to you, without a stop."


def _hourly(what: str, deployment: Deployment, now: datetime) -> str:
    return f"{what}:{deployment.pk}:{now:%Y%m%d%H}"


def _path(deployment: Deployment) -> str:
    return reverse("trading:detail", args=[deployment.public_id])
