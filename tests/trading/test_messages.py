"""Messages that come five times or never: rows say what is to be done, messages only when."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from market.enums import Leg
from tests.trading.telling import tell
from trading import tasks
from trading.models import Fill, Order, OrderIntent, OrderTransition

#: A task with its arguments.
Message = Callable[[], None]

pytestmark = pytest.mark.django_db


def deliver(chance: random.Random, messages: Sequence[Message]) -> None:
    """Deliver messages five times each or not at all, in any order."""
    copies = [message for message in messages if chance.random() < 0.5 for _ in range(5)]
    chance.shuffle(copies)
    for message in copies:
        message()


def books() -> dict[str, Any]:
    return {
        "orders": list(Order.objects.order_by("pk").values_list("leg", "side", "status")),
        "fills": list(Fill.objects.order_by("pk").values_list("side", "quantity")),
        "intents": list(OrderIntent.objects.order_by("pk").values_list("leg", "status")),
        "steps": OrderTransition.objects.count(),
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_they_change_nothing(desk, seed):
    chance = random.Random(seed)
    account_id = desk.deployment.account_id

    def messages() -> list[Message]:
        return [
            tasks.submit_due_intents,
            tasks.reconcile_due_accounts,
            lambda: tasks.reconcile_account(account_id=account_id),
        ]

    # The first task of a worker leaves its start, after which an account has to be compared.
    tasks.reconcile_account(account_id=account_id)
    desk.decide()
    deliver(chance, messages())
    # What beat sends finds the rows whose message was lost.
    tasks.submit_due_intents()
    command = tell(desk.deployment, "FLATTEN", now=desk.now)
    deliver(chance, [*messages(), lambda: tasks.act_on_command(command_id=command.pk)])
    # The sweeper finds the command, and sends its message again.
    tasks.sweep_commands()
    tasks.act_on_command(command_id=command.pk)
    deliver(chance, messages())
    tasks.submit_due_intents()

    told = books()
    assert [leg for leg, _, _ in told["orders"]] == [Leg.ENTRY, Leg.STOP, Leg.EXIT]
    assert [status for _, _, status in told["orders"]] == ["FILLED", "CANCELED", "FILLED"]
    assert len(told["fills"]) == 2
    assert desk.position.quantity == 0
    assert len(desk.venue.orders) == 3
    deliver(chance, messages() * 3)
    assert books() == told
