"""An open position with the orders around it, read for a decision about its protection."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.db.models import Q, Sum

from foundation.transactions import part_of_transaction
from market import money
from market.costs import Costs
from market.enums import Leg, OrderStatus, Side
from market.orders import WORKING
from strategies.rules import Rules
from trading.domain import brackets, kernel
from trading.domain.brackets import Bracket, TradeFacts
from trading.models import Deployment, DeploymentPosition, Fill, IntentStatus, Order, OrderIntent
from trading.selectors import markets
from trading.services import fills

#: Refusals that say something about the moment and nothing about the order: it may be tried again.
_OF_THE_MOMENT: Final = frozenset(
    {
        "ACCOUNT_BLOCKED_UNKNOWN_ORDER",
        "BALANCE_UNKNOWN",
        "CLOCK_SKEW",
        "DEPLOYMENT_INACTIVE",
        "QUOTE_MISSING",
        "SPREAD_TOO_WIDE",
        "TRADING_HALTED",
        "TRADING_REDUCED",
    }
)

#: The same from a venue: about its clock, our calls or the key.
_ABOUT_THE_CALL: Final = frozenset({"rate_limited", "clock_skew", "credential_rejected"})

#: What is remembered from bar to bar about a position that rows do not tell.
_REMEMBERED: Final = ("trail_mark", "targets_done")


@dataclass(slots=True)
class Placed:
    """A decision that belongs to a trade, with its orders, oldest attempt first."""

    intent: OrderIntent
    orders: list[Order] = field(default_factory=list)

    @property
    def last(self) -> Order | None:
        """The newest attempt."""
        return self.orders[-1] if self.orders else None

    @property
    def status(self) -> OrderStatus | None:
        """Where the newest attempt stands."""
        return None if self.last is None else OrderStatus(self.last.status)

    @property
    def filled(self) -> Decimal:
        """What has filled of it."""
        return sum((order.filled_quantity for order in self.orders), Decimal(0))

    @property
    def is_alive(self) -> bool:
        """Whether it waits, works or is in doubt."""
        if self.intent.status == IntentStatus.NEW:
            return True
        return self.intent.status == IntentStatus.ORDERED and (
            self.status is None or self.status in WORKING
        )

    @property
    def is_refused(self) -> bool:
        """Whether we or the venue said no to it, and not only to the moment of its call."""
        if self.intent.status == IntentStatus.ORDERED:
            return self.status is OrderStatus.REJECTED and not self.never_arrived
        return self.intent.status == IntentStatus.DENIED

    @property
    def never_arrived(self) -> bool:
        """Whether the venue has proven not to have it, without having refused it."""
        if self.intent.status != IntentStatus.ORDERED or self.last is None:
            return False
        if self.status is OrderStatus.REJECTED:
            return self.last.reason_code in _ABOUT_THE_CALL
        return self.status in {OrderStatus.DENIED, OrderStatus.ABANDONED}


@dataclass(slots=True)
class Trade:
    """What opened a position, and all that was placed around it since, oldest first."""

    entry: Placed
    followers: list[Placed]
    building_fees: Decimal = Decimal(0)

    def of_leg(self, leg: Leg, *, step: int | None = None) -> list[Placed]:
        """Return what was placed for a leg, of one step if that is given."""
        return [
            each
            for each in self.followers
            if each.intent.leg == leg and step in {None, each.intent.step}
        ]

    @property
    def rules(self) -> Rules:
        """The rules in force when it was opened; its stop and targets stay theirs."""
        return kernel.rules_from_json(self.entry.intent.revision.rules)

    @property
    def has_reduced(self) -> bool:
        """Whether anything of it has been closed already."""
        return any(each.intent.reduce_only and each.filled for each in self.followers)


@part_of_transaction
def of_positions(positions: Sequence[DeploymentPosition]) -> dict[int, Trade]:
    """Return the trades behind open positions by position, in a fixed number of queries."""
    by_entry = {row.entry_id: row for row in positions if row.entry_id is not None}
    rows = (
        OrderIntent.objects.filter(Q(pk__in=by_entry) | Q(entry_id__in=by_entry))
        .select_related("revision")
        .order_by("pk")
    )
    placed = {row.pk: Placed(row) for row in rows}
    for order in Order.objects.filter(intent_id__in=placed).order_by("pk"):
        placed[order.intent_id].orders.append(order)
    found: dict[int, Trade] = {}
    for entry_id, position in by_entry.items():
        if entry_id in placed:
            found[position.pk] = Trade(placed[entry_id], [])
    for each in placed.values():
        if each.intent.entry_id is not None:
            position = by_entry[each.intent.entry_id]
            if position.pk in found:
                found[position.pk].followers.append(each)
    _add_fees(found.values())
    return found


def _add_fees(found: Iterable[Trade]) -> None:
    """Add what building the positions has cost, where the rules ask for it."""
    asking = [trade for trade in found if trade.rules.anchor_includes_fees]
    if not asking:
        return
    owner_of = {
        order.pk: trade
        for trade in asking
        for each in (trade.entry, *trade.of_leg(Leg.LADDER))
        for order in each.orders
    }
    sums = (
        Fill.objects.filter(order_id__in=owner_of)
        .values_list("order_id")
        .annotate(total=Sum("fee_in_quote"))
    )
    for order_id, total in sums:
        owner_of[order_id].building_fees += total or Decimal(0)


def bracket_of(
    deployment: Deployment,
    *,
    position: DeploymentPosition,
    trade: Trade,
    marks: Mapping[str, Any],
) -> Bracket:
    """Return what has to protect an open *position*, by its trade and what is remembered of it."""
    costs = markets.costs_for(position.instrument, deployment.account.venue)
    steps = markets.steps_of(position.instrument)
    rules = trade.rules
    # What was remembered when nothing was held belongs to another trade.
    kept = _REMEMBERED if marks.get("seen_lots") else ()
    lots = money.to_lots(position.quantity, step=steps.lot_step)
    state = kernel.state_of(
        fills.position_of(position),
        capital=deployment.capital,
        marks={name: marks[name] for name in kept if name in marks},
        awaits_venue=False,
        price=position.last_price or position.average_price,
        steps=steps,
    )._replace(lots=lots, average_price=money.float_of(position.average_price))
    return brackets.bracket_of(state, _facts(trade, position, rules, costs), _ruled(trade), costs)


def _ruled(trade: Trade) -> Rules:
    """Return the rules as the entry was decided by: it may have had no stop or target at all."""
    return kernel.as_decided(
        trade.rules,
        stop_percent=trade.entry.intent.stop_percent,
        target_percent=trade.entry.intent.target_percent,
    )


def _facts(trade: Trade, position: DeploymentPosition, rules: Rules, costs: Costs) -> TradeFacts:
    entry = trade.entry.intent
    decided = entry.price or entry.trigger_price or entry.decided_price or position.average_price
    price, side = money.float_of(decided), Side(entry.side)
    rungs = trade.of_leg(Leg.LADDER)
    return TradeFacts(
        base_price=_average_of(trade.entry) or money.float_of(position.average_price),
        fee_per_unit=_fee_per_unit(trade),
        asked_stop_ticks=brackets.asked_ticks(
            entry.stop_percent,
            rules.stop_percent,
            price=price,
            side=side,
            is_stop=True,
            costs=costs,
        ),
        asked_target_ticks=brackets.asked_ticks(
            entry.target_percent,
            rules.target_percent,
            price=price,
            side=side,
            is_stop=False,
            costs=costs,
        ),
        targets_done=_targets_done(trade),
        target_left=_target_left(trade, position),
        rungs_done=len({each.intent.step for each in rungs if each.status is OrderStatus.FILLED}),
        has_rungs=any(each.filled for each in rungs),
        is_built=any(_ends_ladder(each) for each in rungs),
    )


def _average_of(placed: Placed) -> float:
    spent = sum(
        (order.filled_quantity * (order.average_price or Decimal(0)) for order in placed.orders),
        Decimal(0),
    )
    return money.float_of(spent / placed.filled) if placed.filled else 0.0


def _fee_per_unit(trade: Trade) -> float:
    built = sum(
        (each.filled for each in (trade.entry, *trade.of_leg(Leg.LADDER))),
        Decimal(0),
    )
    return money.float_of(trade.building_fees / built) if built else 0.0


def _targets_done(trade: Trade) -> int:
    done = [
        each.intent.step + 1
        for each in trade.of_leg(Leg.TARGET)
        if each.status is OrderStatus.FILLED
    ]
    return max(done, default=0)


def _target_left(trade: Trade, position: DeploymentPosition) -> int:
    """Return what is left, in lots, of a target that has begun to fill and still works."""
    for each in trade.of_leg(Leg.TARGET):
        if each.is_alive and each.last is not None and each.last.filled_quantity:
            left = each.last.quantity - each.last.filled_quantity
            return money.to_lots(left, step=position.instrument.lot_step)
    return 0


def _ends_ladder(rung: Placed) -> bool:
    """Tell whether *rung* was refused for good: what cannot be paid for is not asked for again."""
    return rung.is_refused and rung.intent.reason_code not in _OF_THE_MOMENT
