"""What protects a position, kept in step with what was really filled.

``follow`` looks at the rows and does what is missing; it may be called any number of times. A stop
rests at the venue for as long as a position is open and no exit is on its way; if it cannot be
placed, the position is closed at once. Exits that came to nothing are tried again.

Targets rest beside the stop where contracts trade: both may only reduce. On a spot market the coins
can be promised once, and the stop has them: a target is sent when a closed bar has reached it, the
stop making way, and if it does not fill in time the stop comes back.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db.models import Q, Sum

from foundation.crashpoints import crashpoint
from foundation.transactions import part_of_transaction
from market import money
from market.enums import Leg, OrderActor, OrderStatus, OrderType
from market.orders import RESTING
from trading.domain import keys, sizing
from trading.domain.brackets import Bracket
from trading.models import (
    IDLE_STATES,
    ActualState,
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    DesiredState,
    Order,
    OrderIntent,
    StopPolicy,
)
from trading.selectors import markets
from trading.services import exits, health, intents, protective_orders, trades
from trading.services.protective_orders import Wanted
from trading.services.trades import Trade

#: After so many stops for one entry, something is wrong that another stop does not cure: each bar
#: may move one that trails, so this is a week of bars of five minutes.
_MOST_STOPS: Final = 2_000

#: The code of a stop that a venue does not take because the price has passed it.
_TOUCHED_ALREADY: Final = "would_trigger_at_once"

#: What may add to a position.
OPENING: Final = frozenset({Leg.ENTRY, Leg.LADDER})

#: What an exit does not wait beside: everything else that rests.
AROUND: Final = frozenset({Leg.STOP, Leg.TARGET, Leg.LADDER})


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
    if not sizing.is_closable(position.quantity, price=price, steps=steps):
        _after_close(deployment, position, now=now)
        return
    if exits.is_under_way(deployment, position=position, now=now):
        # Nothing adds to what is being closed.
        cancel_resting(
            deployment,
            instrument_id=instrument_id,
            legs=OPENING,
            now=now,
            why="the position is being closed",
        )
        _note_protection(position, rests=False, now=now)
        return
    # What was left to its owner keeps the stop that rests; whether it stays is theirs to say.
    if not is_left_to_its_owner(deployment):
        _protect(deployment, position, now=now)


def is_left_to_its_owner(deployment: Deployment) -> bool:
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
    instrument_id: int | None = None,
    legs: frozenset[Leg],
    now: datetime,
    why: str,
    by: OrderActor = OrderActor.STRATEGY,
) -> None:
    """Ask for the cancellation of what rests at the venue for a locked *deployment*.

    In one instrument, or in all of them.
    """
    resting = Order.objects.filter(
        deployment=deployment,
        leg__in=[leg.value for leg in legs],
        status__in=[status.value for status in RESTING],
    )
    if instrument_id is not None:
        resting = resting.filter(instrument_id=instrument_id)
    ids = list(resting.values_list("pk", flat=True))
    protective_orders.cancel(deployment, order_ids=ids, now=now, why=why, by=by)


def _after_close(deployment: Deployment, position: DeploymentPosition, *, now: datetime) -> None:
    """Clear away what protected a position that is no more, and what would open it again."""
    intents.supersede(
        OrderIntent.objects.filter(
            Q(reduce_only=True) | Q(leg=Leg.LADDER.value),
            deployment=deployment,
            instrument_id=position.instrument_id,
        ),
        code="POSITION_CLOSED",
    )
    exits.give_up(deployment, position=position)
    cancel_resting(
        deployment,
        instrument_id=position.instrument_id,
        legs=AROUND,
        now=now,
        why="the position is closed",
    )
    has_ended = _end_trade(deployment, position, now=now)
    if has_ended:
        # The other half of a reversal has waited for this.
        entries = OrderIntent.objects.filter(
            deployment=deployment, instrument_id=position.instrument_id, leg=Leg.ENTRY.value
        )
        intents.hasten(entries, now=now)
    health.recover(deployment, codes={health.STOP_NOT_PLACED, health.EXIT_FAILING}, now=now)
    if has_ended or position.stop_price or position.target_price or position.opened_at:
        position.stop_price = position.target_price = position.opened_at = None
        position.entry = position.unprotected_since = None
        position.save(
            update_fields=["stop_price", "target_price", "opened_at", "entry", "unprotected_since"]
        )


def _end_trade(deployment: Deployment, position: DeploymentPosition, *, now: datetime) -> bool:
    """Take back what is left of the entry of a position that was closed; False if none was.

    A first part of an entry may be too little to be a position; then the rest still comes.
    """
    if position.entry_id is None:
        return False
    trade = trades.of_positions([position]).get(position.pk)
    if trade is None or not trade.has_reduced:
        return False
    protective_orders.take_away(
        deployment, placed=[trade.entry], code="POSITION_CLOSED", now=now, why="the trade is over"
    )
    return True


def _protect(deployment: Deployment, position: DeploymentPosition, *, now: datetime) -> None:
    _note_entry(deployment, position)
    trade = trades.of_positions([position]).get(position.pk)
    if trade is None:
        return
    marks = DeploymentInstrument.objects.filter(
        deployment=deployment, instrument_id=position.instrument_id
    ).values_list("marks", flat=True)
    bracket = trades.bracket_of(
        deployment, position=position, trade=trade, marks=next(iter(marks), {})
    )
    _note_levels(position, bracket)
    if position.stop_price is not None:
        wanted = stop_of(position, trade=trade, level=position.stop_price)
        rests = _place_stop(deployment, position, trade, wanted, now=now)
        _note_protection(position, rests=rests, now=now)
    if deployment.desired_state == DesiredState.STOPPED:
        return
    _place_around(deployment, position, trade, bracket, now=now)


def _note_entry(deployment: Deployment, position: DeploymentPosition) -> None:
    """Find what opened a position that does not know it."""
    if position.entry_id is not None:
        return
    position.entry = (
        OrderIntent.objects.filter(
            deployment=deployment,
            instrument_id=position.instrument_id,
            leg=Leg.ENTRY.value,
            orders__filled_quantity__gt=0,
        )
        .order_by("-pk")
        .first()
    )
    position.save(update_fields=["entry"])


def stop_of(position: DeploymentPosition, *, trade: Trade, level: Decimal) -> Wanted:
    """Return the stop that a position should have at a price."""
    return Wanted(
        leg=Leg.STOP,
        side=sizing.closing_side(position.quantity),
        order_type=OrderType.STOP_LOSS,
        quantity=_whole(position, abs(position.quantity)),
        level=level,
        trails=bool(trade.rules.trail_offset_percent),
    )


def levels_of(
    position: DeploymentPosition, *, bracket: Bracket
) -> tuple[Decimal | None, Decimal | None]:
    """Return the prices of the stop and of the next target, None for none."""
    stop, target = (
        money.from_ticks(ticks, tick=position.instrument.tick_size) if ticks else None
        for ticks in (bracket.state.stop_ticks, bracket.state.target_ticks)
    )
    return stop, target


def _note_levels(position: DeploymentPosition, bracket: Bracket) -> None:
    stop, target = levels_of(position, bracket=bracket)
    if (position.stop_price, position.target_price) != (stop, target):
        position.stop_price, position.target_price = stop, target
        position.version += 1
        position.save(update_fields=["stop_price", "target_price", "version"])


def _note_protection(position: DeploymentPosition, *, rests: bool, now: datetime) -> None:
    """Remember since when the stop of a position has not been known to rest."""
    if rests == (position.unprotected_since is None):
        return
    position.unprotected_since = None if rests else now
    position.save(update_fields=["unprotected_since"])


def _place_around(
    deployment: Deployment,
    position: DeploymentPosition,
    trade: Trade,
    bracket: Bracket,
    *,
    now: datetime,
) -> None:
    """Place the targets that can rest and the next order of the ladder; end an entry that is over."""
    if exits.targets_rest(position):
        protective_orders.align(
            deployment,
            trade=trade,
            leg=Leg.TARGET,
            wanted=protective_orders.targets_of(position, bracket=bracket),
            instrument_id=position.instrument_id,
            now=now,
        )
    may_add = deployment.desired_state == DesiredState.RUNNING
    protective_orders.align(
        deployment,
        trade=trade,
        leg=Leg.LADDER,
        wanted=protective_orders.rungs_of(position, bracket=bracket) if may_add else (),
        instrument_id=position.instrument_id,
        now=now,
    )
    if bracket.state.targets_done and trade.entry.is_alive:
        protective_orders.take_away(
            deployment, placed=[trade.entry], code="TARGET_REACHED", now=now, why="a target filled"
        )


def _whole(position: DeploymentPosition, quantity: Decimal) -> Decimal:
    return money.quantize_quantity(quantity, step=position.instrument.lot_step)


def _place_stop(
    deployment: Deployment,
    position: DeploymentPosition,
    trade: Trade,
    wanted: Wanted,
    *,
    now: datetime,
) -> bool:
    """See to the stop of a position; return whether it is known to rest as it should."""
    placed = trade.of_leg(Leg.STOP)
    if placed and placed[-1].is_refused:
        flatten(
            deployment,
            position=position,
            key=placed[-1].intent.decision_key,
            now=now,
            is_reached=placed[-1].last is not None
            and placed[-1].last.reason_code == _TOUCHED_ALREADY,
        )
        return False
    standing = [each for each in placed if protective_orders.stands_for(each, wanted=wanted)]
    doubled = [each for each in placed if each.is_alive and each not in standing[-1:]]
    if standing:
        # An order that was given up may turn up again: it is one too many.
        protective_orders.take_away(
            deployment, placed=doubled, code="DOUBLED", now=now, why="another stop rests"
        )
        return standing[-1].status in RESTING
    if placed and placed[-1].never_arrived:
        exits.try_again(
            deployment, intent=placed[-1].intent, attempts=len(placed[-1].orders), now=now
        )
        return False
    if len(placed) >= _MOST_STOPS:
        flatten(deployment, position=position, key=placed[-1].intent.decision_key, now=now)
        return False
    # One with another size or price is in the way: it goes before its successor is sent.
    protective_orders.take_away(
        deployment,
        placed=doubled,
        code="RESIZED",
        now=now,
        why="the position has another size, or its stop another price",
    )
    key = keys.protective_key(trade.entry.intent.decision_key, number=len(placed))
    protective_orders.place(
        deployment,
        trade=trade,
        wanted=wanted,
        instrument_id=position.instrument_id,
        key=key,
        now=now,
    )
    crashpoint("protection.stop_decided")
    return False


@part_of_transaction
def flatten(
    deployment: Deployment,
    *,
    position: DeploymentPosition,
    key: str,
    now: datetime,
    is_reached: bool = False,
) -> None:
    """Close a position whose stop cannot be placed, and tell the owner; *key* names the stop.

    A stop that the price has passed already (*is_reached*) has done its work: that is no trouble.
    """
    if not is_reached:
        health.degrade(
            deployment,
            code=health.STOP_NOT_PLACED,
            message="The stop could not be placed, so the position is closed.",
            now=now,
        )
    # An entry that fills on after its position was closed opens another one, which is closed as well.
    done = OrderIntent.objects.filter(
        deployment=deployment,
        decision_key__startswith=keys.emergency_key(key),
        orders__status=OrderStatus.FILLED.value,
    ).distinct()
    intents.write_exit(
        deployment,
        position=position,
        key=keys.emergency_key(key, number=done.count()),
        reason="STOP_HIT" if is_reached else "STOP_NOT_PLACED",
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
