"""The transaction before the wire: decisions become orders on their way, or are refused.

Many accounts at once: what is known of all of them is read, and what follows is written, in a number
of statements that does not grow with them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import OuterRef, Q, Subquery, Window
from django.db.models.functions import RowNumber

from exchanges.adapters.protocol import OrderRequest
from exchanges.selectors import quotes
from exchanges.services import leases
from exchanges.services.leases import AccountLease
from foundation.transactions import part_of_transaction, transactional
from market.enums import InstrumentKind, Leg, OrderStatus, OrderType, Side
from market.orders import WORKING
from trading.domain.trading_states import Place
from trading.domain.verdicts import Cleared, Denial, Verdict, Wait
from trading.models import (
    DeadManSwitch,
    Deployment,
    DeploymentPosition,
    IntentStatus,
    Order,
    OrderIntent,
    Reservation,
    SwapSetting,
)
from trading.selectors import entitled, restrictions
from trading.services import (
    checks,
    entry_limits,
    funds,
    health,
    intents,
    orders,
    protection,
    starts,
    swap_settings,
    venues,
    waits,
)
from trading.services.checks import Situation
from trading.services.funds import Funds
from trading.services.order_plans import Planned
from trading.services.venues import Call, Cancellation, Submission

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount

#: Decisions of one account that are looked at in one turn.
_MOST_INTENTS: Final = 100

#: Stops first, then what takes profits, then what opens; what closes at once goes before all.
_PRECEDENCE: Final = {Leg.EXIT: 0, Leg.STOP: 1, Leg.TARGET: 2, Leg.ENTRY: 3, Leg.LADDER: 3}

#: What was set last at the venue for the account and the swap of an intent.
_LEVERAGE_SET: Final = Subquery(
    SwapSetting.objects.filter(
        account=OuterRef("account"), instrument=OuterRef("instrument")
    ).values("leverage")
)

#: Answers that an older word on the balances may give only if the venue says so too.
_NEEDS_FRESH: Final = frozenset(
    {
        Denial.BALANCE_UNKNOWN,
        Denial.INSUFFICIENT_FREE_BALANCE,
        Wait.BALANCE_NOT_FREE,
        Wait.STOP_IS_LOST,
    }
)


@dataclass(slots=True)
class Prepared:
    """What is to be sent; accounts that somebody else has ``lost`` us, and those to ask for their balances first."""

    calls: list[Call] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Plan:
    """What is decided about the decisions of one turn, until it is written."""

    now: datetime
    orders: list[Planned] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)
    denied: dict[Denial, list[OrderIntent]] = field(default_factory=lambda: defaultdict(list))
    waiting: list[tuple[OrderIntent, Wait]] = field(default_factory=list)
    #: What waits, by when it is looked at again.
    postponed: dict[datetime, list[OrderIntent]] = field(default_factory=lambda: defaultdict(list))
    unsure: set[int] = field(default_factory=set)


@transactional
def prepare(*, held: Sequence[AccountLease], known: Mapping[int, Funds], now: datetime) -> Prepared:
    """Return what is to be sent for claimed accounts now, with a row for each call.

    *known* is what is known to be free, by account. Nothing is changed of an account that somebody
    else has claimed.
    """
    accounts = leases.require_many(held, seconds=venues.claim_seconds())
    prepared = Prepared(lost={each.account_id for each in held} - set(accounts))
    waiting = _lock_waiting(accounts, now)
    if waiting:
        plan = _Plan(now)
        armed = _armed(accounts)
        situations = _situations(accounts, waiting, known, now)
        for intent in sorted(waiting, key=_urgency):
            _decide(intent, situations[intent.account_id], known[intent.account_id], plan)
        prepared.calls += [_submission(order, armed=armed) for order in _write(plan)]
        prepared.unsure = plan.unsure
    # Read last, for what has to make way is among them; sent first.
    prepared.calls[:0] = _cancellations(accounts, now)
    return prepared


@transactional
def put_off(*, account_id: int, now: datetime) -> None:
    """Let what is due for an account wait: a mistake of ours keeps it from being prepared."""
    due = OrderIntent.objects.filter(
        account=account_id, status=IntentStatus.NEW, not_before__lte=now
    )
    intents.postpone_many(list(due), until=now + timedelta(seconds=settings.HORIZONS.in_flight_s))
    orders.cancels_were_sent(
        Order.objects.filter(
            account=account_id, status=OrderStatus.PENDING_CANCEL.value, next_check_at__lte=now
        ),
        now=now,
    )
    health.degrade_account(
        account_id=account_id, code=health.BROKEN, message=health.BROKEN_MESSAGE, now=now
    )


def _urgency(intent: OrderIntent) -> tuple[int, int]:
    return (0 if checks.closes_at_once(intent) else _PRECEDENCE[Leg(intent.leg)], intent.pk)


def _lock_waiting(accounts: Collection[int], now: datetime) -> list[OrderIntent]:
    place = Window(RowNumber(), partition_by="account_id", order_by="pk")
    due = OrderIntent.objects.filter(
        account__in=accounts, status=IntentStatus.NEW, not_before__lte=now
    )
    found = due.alias(place=place).filter(place__lte=_MOST_INTENTS)
    pairs = list(found.values_list("pk", "deployment_id"))
    deployments = {
        row.pk: row
        for row in Deployment.objects.select_for_update(of=("self",))
        .filter(pk__in={deployment_id for _, deployment_id in pairs})
        .select_related("owner", "account__venue", "strategy_version__strategy")
        .order_by("pk")
    }
    # Read again under the locks: a command may have superseded some of them.
    waiting: list[OrderIntent] = list(
        OrderIntent.objects.select_for_update(of=("self",))
        .filter(pk__in=[pk for pk, _ in pairs], status=IntentStatus.NEW)
        .select_related("instrument", "revision")
        .annotate(leverage_set=_LEVERAGE_SET)
        .order_by("pk")
    )
    for intent in waiting:
        intent.deployment = deployments[intent.deployment_id]
    return waiting


@part_of_transaction
def _situations(
    accounts: Mapping[int, "ExchangeAccount"],
    waiting: Sequence[OrderIntent],
    known: Mapping[int, Funds],
    now: datetime,
) -> dict[int, Situation]:
    """Return what is known of each account that has something waiting; one query for each kind of fact."""
    account_ids = {intent.account_id for intent in waiting}
    deployment_ids = {intent.deployment_id for intent in waiting}
    reserved = funds.reserved({each: known[each] for each in account_ids})
    exits = OrderIntent.objects.filter(
        deployment_id__in=deployment_ids,
        status=IntentStatus.NEW,
        leg__in=[Leg.EXIT.value, Leg.TARGET.value],
    ).exclude(
        # Targets of swaps rest beside the stop.
        ~Q(instrument__kind=InstrumentKind.SPOT),
        leg=Leg.TARGET.value,
        order_type=OrderType.LIMIT.value,
    )
    positions = DeploymentPosition.objects.filter(deployment_id__in=deployment_ids)
    # Keys of deployments are not those of accounts: what is looked up by deployment is the same for all.
    held = {(row.deployment_id, row.instrument_id): row.quantity for row in positions}
    exits_waiting = set(exits.values_list("deployment_id", "instrument_id"))
    entering = {each.deployment for each in waiting if not each.reduce_only}
    may_enter = entitled.may_enter(entering, now=now)
    working, in_doubt = _unfinished(account_ids)
    started_at = starts.latest()
    seen = entry_limits.look(list(_places(waiting)), now=now)
    prices = quotes.quotes_of(sorted({each.instrument_id for each in waiting}))
    return {
        account_id: Situation(
            account=accounts[account_id],
            free=known[account_id].free,
            reserved=reserved[account_id],
            in_doubt=in_doubt[account_id],
            held=held,
            working=working,
            exits_waiting=exits_waiting,
            entitled=may_enter,
            is_compared=starts.is_compared(accounts[account_id], since=started_at),
            look=seen,
            quotes=prices,
        )
        for account_id in account_ids
    }


def _places(waiting: Sequence[OrderIntent]) -> set[Place]:
    return {
        restrictions.place_of(each.deployment, instrument_id=each.instrument_id) for each in waiting
    }


def _unfinished(
    account_ids: Collection[int],
) -> tuple[dict[tuple[int, int], list[Order]], dict[int, set[int]]]:
    """Return the working orders by deployment and instrument, and the instruments in doubt by account."""
    working: dict[tuple[int, int], list[Order]] = defaultdict(list)
    in_doubt: dict[int, set[int]] = defaultdict(set)
    unfinished = Order.objects.filter(
        account__in=account_ids,
        status__in=[status.value for status in (*WORKING, OrderStatus.MANUAL_REVIEW)],
    )
    for order in unfinished:
        if checks.is_working(order):
            working[(order.deployment_id, order.instrument_id)].append(order)
        if checks.is_in_doubt(order):
            in_doubt[order.account_id].add(order.instrument_id)
    return working, in_doubt


def _decide(intent: OrderIntent, situation: Situation, told: Funds, plan: _Plan) -> None:
    verdict = checks.check(intent, situation=situation, now=plan.now)
    if not told.is_fresh and _depends_on_funds(intent, verdict):
        plan.unsure.add(intent.account_id)
    elif isinstance(verdict, Denial):
        plan.denied[verdict].append(intent)
    elif isinstance(verdict, Wait):
        plan.waiting.append((intent, verdict))
        until = waits.look_again_at(intent, verdict=verdict, situation=situation, now=plan.now)
        plan.postponed[until].append(intent)
    else:
        _order(intent, verdict, situation, plan)


def _depends_on_funds(intent: OrderIntent, verdict: Verdict) -> bool:
    """Tell whether a word on the balances that may be old has cut an order, or kept it from going."""
    if isinstance(verdict, Cleared):
        # A stop has the size of what it protects; if less than that seems to be free, the venue has to say so.
        is_cut = intent.leg == Leg.STOP and verdict.quantity < intent.quantity
        return is_cut or verdict.beside_lost
    return verdict in _NEEDS_FRESH


def _order(intent: OrderIntent, cleared: Cleared, situation: Situation, plan: _Plan) -> None:
    plan.orders.append(Planned(intent, cleared.quantity))
    if cleared.reserve:
        currency = intent.instrument.quote
        plan.reservations.append(
            Reservation(
                owner_id=intent.owner_id,
                account_id=intent.account_id,
                intent=intent,
                currency=currency,
                amount=cleared.reserve,
                released_at=None,
            )
        )
        taken = situation.reserved.get(currency, Decimal(0))
        situation.reserved[currency] = taken + cleared.reserve
    place = (intent.deployment_id, intent.instrument_id)
    # What is checked after it in this turn has to know of it; its row is made with those of the others.
    situation.working.setdefault(place, []).append(
        Order(
            intent=intent,
            leg=intent.leg,
            order_type=intent.order_type,
            reduce_only=intent.reduce_only,
        )
    )


def _write(plan: _Plan) -> list[Order]:
    made = orders.create_many(plan.orders, now=plan.now)
    Reservation.objects.bulk_create(
        plan.reservations,
        update_conflicts=True,
        unique_fields=["intent"],
        update_fields=["currency", "amount", "released_at"],
    )
    for code, denied in plan.denied.items():
        intents.deny_many(denied, code=code.value)
    for until, waiting in plan.postponed.items():
        intents.postpone_many(waiting, until=until)
    for intent in (each for denied in plan.denied.values() for each in denied):
        if intent.leg == Leg.STOP:
            protection.follow(intent.deployment, instrument_id=intent.instrument_id, now=plan.now)
    for intent, why in plan.waiting:
        # While trading is halted nothing takes its place, so what protects a position stays there.
        if why != Wait.TRADING_HALTED:
            waits.make_way(intent, now=plan.now)
    return made


def _submission(order: Order, *, armed: Collection[int]) -> Submission:
    return Submission(
        account_id=order.account_id,
        order_id=order.pk,
        request=request_of(order),
        submitted_at=order.submitted_at,
        margin=swap_settings.terms_for(order.intent),
        disarms=order.leg == Leg.STOP and order.account_id in armed,
    )


def _armed(account_ids: Collection[int]) -> set[int]:
    """Return the accounts whose dead man's switch may be armed."""
    switches = DeadManSwitch.objects.filter(account_id__in=account_ids)
    return set(switches.values_list("account_id", flat=True))


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
        decided_price=order.intent.decided_price,
    )


def _cancellations(accounts: Collection[int], now: datetime) -> list[Cancellation]:
    due = list(
        Order.objects.select_for_update(of=("self",))
        .filter(
            account__in=accounts,
            status=OrderStatus.PENDING_CANCEL.value,
            next_check_at__lte=now,
        )
        .select_related("instrument")
        .order_by("pk")
    )
    orders.cancels_were_sent(due, now=now)
    return [
        Cancellation(
            account_id=order.account_id,
            order_id=order.pk,
            symbol=order.instrument.symbol,
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            submitted_at=order.submitted_at,
        )
        for order in due
    ]
