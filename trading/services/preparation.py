"""The transaction before the wire: decisions become orders on their way, or are refused."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Sum

from exchanges.adapters.protocol import OrderRequest
from exchanges.services import leases
from exchanges.services.leases import AccountLease
from foundation.transactions import transactional
from market.enums import Leg, OrderStatus, OrderType, Side
from market.orders import WORKING
from trading.models import (
    Deployment,
    DeploymentPosition,
    IntentStatus,
    Order,
    OrderIntent,
    Reservation,
)
from trading.selectors import entitled
from trading.services import checks, intents, orders, protection, venues
from trading.services.checks import Denial, Situation, Wait
from trading.services.venues import Call, Cancellation, Submission

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount

#: Decisions of one account that are looked at in one turn.
_MOST_INTENTS: Final = 100


#: Exits first, then stops, then what opens.
_PRECEDENCE: Final = {Leg.EXIT: 0, Leg.TARGET: 0, Leg.STOP: 1, Leg.ENTRY: 2}

_RESTING: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


@transactional
def prepare(
    *, lease: AccountLease, free: Mapping[str, Decimal] | None, now: datetime
) -> list[Call]:
    """Return what is to be sent for a claimed account now, with a row for each call.

    *free* is what the venue says is free, by currency; None if it did not answer. Raises
    AccountLeaseLostError, and changes nothing, if the account has been claimed by somebody else.
    """
    account = leases.require(lease, seconds=venues.claim_seconds())
    waiting = _lock_waiting(account, now)
    calls: list[Call] = []
    if waiting:
        situation = _situation(account, waiting, free, now)
        for intent in sorted(waiting, key=lambda each: (_PRECEDENCE[Leg(each.leg)], each.pk)):
            call = _prepare_one(intent, situation, now)
            if call is not None:
                calls.append(call)
    return [*_cancellations(account, now), *calls]


def _lock_waiting(account: "ExchangeAccount", now: datetime) -> list[OrderIntent]:
    due = OrderIntent.objects.filter(
        account=account, status=IntentStatus.NEW, not_before__lte=now
    ).order_by("pk")[:_MOST_INTENTS]
    deployment_ids = sorted({intent.deployment_id for intent in due})
    deployments = {
        row.pk: row
        for row in Deployment.objects.select_for_update(of=("self",))
        .filter(pk__in=deployment_ids)
        .select_related("owner", "account__venue", "strategy_version__strategy")
        .order_by("pk")
    }
    # Read again under the locks: a command may have superseded some of them.
    waiting = list(
        OrderIntent.objects.select_for_update(of=("self",))
        .filter(pk__in=[intent.pk for intent in due], status=IntentStatus.NEW)
        .select_related("instrument", "revision")
        .order_by("pk")
    )
    for intent in waiting:
        intent.deployment = deployments[intent.deployment_id]
    return waiting


def _situation(
    account: "ExchangeAccount",
    waiting: list[OrderIntent],
    free: Mapping[str, Decimal] | None,
    now: datetime,
) -> Situation:
    deployment_ids = {intent.deployment_id for intent in waiting}
    unfinished = Order.objects.filter(
        account=account,
        status__in=[status.value for status in (*WORKING, OrderStatus.MANUAL_REVIEW)],
    )
    working: dict[tuple[int, int], list[Order]] = defaultdict(list)
    in_doubt: set[int] = set()
    for order in unfinished:
        if checks.is_working(order):
            working[(order.deployment_id, order.instrument_id)].append(order)
        if checks.is_in_doubt(order):
            in_doubt.add(order.instrument_id)
    reserved = (
        Reservation.objects.filter(account=account, released_at=None)
        .values_list("currency")
        .annotate(total=Sum("amount"))
    )
    exits = OrderIntent.objects.filter(
        deployment_id__in=deployment_ids,
        status=IntentStatus.NEW,
        leg__in=[Leg.EXIT.value, Leg.TARGET.value],
    )
    positions = DeploymentPosition.objects.filter(deployment_id__in=deployment_ids)
    return Situation(
        account=account,
        free=free,
        reserved=dict(reserved),
        in_doubt=in_doubt,
        held={(row.deployment_id, row.instrument_id): row.quantity for row in positions},
        working=working,
        exits_waiting=set(exits.values_list("deployment_id", "instrument_id")),
        entitled=entitled.may_enter(
            {each.deployment for each in waiting if not each.reduce_only}, now=now
        ),
    )


def _prepare_one(intent: OrderIntent, situation: Situation, now: datetime) -> Submission | None:
    verdict = checks.check(intent, situation=situation, now=now)
    place = (intent.deployment_id, intent.instrument_id)
    if isinstance(verdict, Denial):
        intents.deny(intent, code=verdict.value)
        if intent.leg == Leg.STOP:
            protection.follow(intent.deployment, instrument_id=intent.instrument_id, now=now)
        return None
    if isinstance(verdict, Wait):
        _make_way(intent, situation, now)
        intents.postpone(intent, until=_when_to_look_again(verdict, now))
        return None
    order = orders.create(intent, quantity=verdict.quantity, now=now)
    if verdict.reserve:
        currency = intent.instrument.quote
        Reservation.objects.update_or_create(
            intent=intent,
            defaults={
                "owner_id": intent.owner_id,
                "account": situation.account,
                "currency": currency,
                "amount": verdict.reserve,
                "released_at": None,
            },
        )
        situation.reserved[currency] = (
            situation.reserved.get(currency, Decimal(0)) + verdict.reserve
        )
    situation.working.setdefault(place, []).append(order)
    return Submission(
        account_id=situation.account.pk,
        order_id=order.pk,
        request=request_of(order),
        submitted_at=now,
    )


def request_of(order: Order) -> OrderRequest:
    """Return the instruction that *order* is."""
    return OrderRequest(
        client_order_id=order.client_order_id,
        symbol=order.instrument.symbol,
        side=Side(order.side),
        order_type=OrderType(order.order_type),
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
        reduce_only=order.reduce_only,
    )


def _make_way(intent: OrderIntent, situation: Situation, now: datetime) -> None:
    """Cancel the stop that an exit, or a stop of another size, has to wait for."""
    if not intent.reduce_only:
        return
    protection.cancel_resting(
        intent.deployment,
        instrument_id=intent.instrument_id,
        legs=frozenset({Leg.STOP}),
        now=now,
        why=f"{intent.leg} comes first",
    )


def _when_to_look_again(verdict: Wait, now: datetime) -> datetime:
    # What waits for a cancellation is due at once: the next turn comes after its answer.
    if verdict is Wait.REDUCING_ORDER_WORKS:
        return now
    return now + timedelta(seconds=settings.HORIZONS.retry_s)


def _cancellations(account: "ExchangeAccount", now: datetime) -> list[Cancellation]:
    calls = []
    due = (
        Order.objects.select_for_update(of=("self",))
        .filter(account=account, status=OrderStatus.PENDING_CANCEL.value, next_check_at__lte=now)
        .select_related("instrument")
        .order_by("pk")
    )
    for order in due:
        orders.cancel_was_sent(order, now=now)
        calls.append(
            Cancellation(
                account_id=account.pk,
                order_id=order.pk,
                symbol=order.instrument.symbol,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                submitted_at=order.submitted_at,
            )
        )
    return calls
