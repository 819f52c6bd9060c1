"""What is asked of a decision before it becomes an order; the first answer counts.

When unsure nothing is opened, while exits stay possible.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.conf import settings

from market import money
from market.enums import InstrumentKind, Leg, OrderStatus, OrderType, Side
from market.orders import WORKING
from market.timeframes import Timeframe
from trading.domain import protections, sizing, staleness
from trading.domain.trading_states import TradingState
from trading.domain.verdicts import Cleared, Denial, Verdict, Wait
from trading.models import ActualState, DesiredState, Order, OrderIntent
from trading.selectors import markets
from trading.services.entry_limits import Look

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount, Quote

#: What a market buy may cost beyond the price at its decision, set aside in basis points.
_RESERVE_MARGIN_BPS: Final = Decimal(50)


#: A venue whose clock is further from ours than this is not one to open positions at.
MOST_SKEW_MS: Final = 2_000

#: Further from the last price than this nobody means to buy or sell; people may set less.
USUAL_BAND_PERCENT: Final = Decimal(10)

#: An older word on prices says too little about what may be paid now.
QUOTE_HOLDS: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of an account at the moment of the check.

    ``free`` is the venue's word by currency, None if it could not be asked; ``reserved`` what is
    set aside beside it: not what the venue holds for orders already; ``in_doubt`` the instruments with an order of unknown fate; ``held`` the
    signed position and ``working`` the unfinished orders by deployment and instrument;
    ``entitled`` the deployments whose owner has a right to their strategy at this moment;
    ``is_compared`` whether the account has been compared with its venue since the workers started;
    ``look`` what trading states and limits say; ``quotes`` the venue's last prices
    by instrument.
    """

    account: "ExchangeAccount"
    free: Mapping[str, Decimal] | None
    reserved: dict[str, Decimal]
    in_doubt: Collection[int]
    held: Mapping[tuple[int, int], Decimal]
    working: dict[tuple[int, int], list[Order]]
    exits_waiting: Collection[tuple[int, int]]
    entitled: Collection[int]
    is_compared: bool = True
    look: Look = field(default_factory=Look)
    quotes: Mapping[int, "Quote"] = field(default_factory=dict)


def check(intent: OrderIntent, *, situation: Situation, now: datetime) -> Verdict:
    """Return whether *intent* may become an order now."""
    if intent.reduce_only:
        if _is_halted(intent, situation) and intent.leg != Leg.STOP:
            # It is kept and goes out once the halt is over, if there is still something to close.
            return Wait.TRADING_HALTED
        return _check_exit(intent, situation)
    return _check_entry(intent, situation, now)


def _is_halted(intent: OrderIntent, situation: Situation) -> bool:
    place = (intent.deployment_id, intent.instrument_id)
    return situation.look.states.get(place) is TradingState.HALTED


def _check_entry(intent: OrderIntent, situation: Situation, now: datetime) -> Verdict:
    refusal = _forbidden(intent, situation) or _inactive(intent, situation)
    refusal = refusal or _too_late(intent, situation, now)
    if refusal is not None:
        return refusal
    if intent.instrument_id in situation.in_doubt:
        return Denial.ACCOUNT_BLOCKED_UNKNOWN_ORDER
    if not situation.is_compared:
        return Wait.ACCOUNT_NOT_COMPARED
    # On paper exit and entry of a reversal meet the same bar, the exit first.
    if not markets.is_paper(situation.account):
        if intent.leg == Leg.ENTRY and _stays_open(intent, situation):
            # Its predecessor has filled after all, while it was being canceled.
            return Denial.POSITION_IS_OPEN
        waits = _what_an_entry_waits_for(intent, situation)
        if waits is not None:
            return waits
    quantity = money.quantize_quantity(intent.quantity, step=intent.instrument.lot_step)
    refusal = _too_small(intent, quantity) or _cannot_be_protected(intent, situation, quantity)
    refusal = refusal or _odd_market(intent, situation, now)
    if refusal is not None:
        return refusal
    verdict = _afford(intent, situation, quantity)
    if isinstance(verdict, Cleared):
        return _fit(intent, situation, verdict)
    return verdict


def _forbidden(intent: OrderIntent, situation: Situation) -> Denial | None:
    reason = situation.look.refused.get((intent.deployment_id, intent.instrument_id))
    return None if reason is None else Denial(reason.value)


def _odd_market(intent: OrderIntent, situation: Situation, now: datetime) -> Denial | None:
    """Return why the venue's clock or book forbids opening anything; on paper nothing does."""
    if markets.is_paper(situation.account):
        return None
    most_skew = _least("max_clock_skew_ms", intent, situation) or MOST_SKEW_MS
    if abs(situation.account.venue.clock_offset_ms) > most_skew:
        return Denial.CLOCK_SKEW
    wished = _least("price_band_percent", intent, situation)
    widest = _least("max_spread_bps", intent, situation)
    quote = situation.quotes.get(intent.instrument_id)
    price = _price_of(intent)
    if quote is None or price is None or now - quote.recorded_at > QUOTE_HOLDS:
        # What somebody wants to be looked at is not taken for granted.
        return Denial.QUOTE_MISSING if wished or widest else None
    band = wished or USUAL_BAND_PERCENT
    if quote.last and protections.is_outside_band(price, last=quote.last, band_percent=band):
        return Denial.PRICE_OUTSIDE_BAND
    if widest is None:
        return None
    if not quote.bid or not quote.ask:
        return Denial.QUOTE_MISSING
    is_wide = protections.spread_bps(bid=quote.bid, ask=quote.ask) > widest
    return Denial.SPREAD_TOO_WIDE if is_wide else None


def _least(name: str, intent: OrderIntent, situation: Situation) -> Decimal | None:
    """Return the strictest value of a limit that holds for *intent*, None if nobody has set it."""
    rooms = situation.look.rooms.get((intent.deployment_id, intent.instrument_id), ())
    given = [getattr(room.limits, name) for room in rooms]
    return min((Decimal(each) for each in given if each is not None), default=None)


def _fit(intent: OrderIntent, situation: Situation, cleared: Cleared) -> Verdict:
    """Return *cleared* if the limits leave room for it, and take that room."""
    place = (intent.deployment_id, intent.instrument_id)
    rooms = situation.look.rooms.get(place, ())
    notional = cleared.quantity * (_price_of(intent) or Decimal(0))
    for room in rooms:
        reason = room.refusal(place, notional=notional)
        if reason is not None:
            return Denial(reason.value)
    for room in rooms:
        room.take(place, notional=notional)
    return cleared


def _stays_open(intent: OrderIntent, situation: Situation) -> bool:
    """Tell whether there is a position already that nothing is about to close."""
    place = (intent.deployment_id, intent.instrument_id)
    leaves = place in situation.exits_waiting or any(
        order.leg == Leg.EXIT for order in situation.working.get(place, ())
    )
    held = abs(situation.held.get(place, Decimal(0)))
    return not leaves and not _too_small(intent, held)


def _what_an_entry_waits_for(intent: OrderIntent, situation: Situation) -> Wait | None:
    """Return what has to be over before *intent* may add to a position, or open one."""
    place = (intent.deployment_id, intent.instrument_id)
    works = situation.working.get(place, ())
    adds = intent.leg == Leg.LADDER
    # A rung adds beside the stop and the targets; an entry comes when all of them are gone.
    if place in situation.exits_waiting or any(
        order.reduce_only and (not adds or order.leg == Leg.EXIT) for order in works
    ):
        return Wait.EXIT_COMES_FIRST
    former = [order for order in works if order.leg == intent.leg]
    if not former:
        return None
    ends = all(order.status == OrderStatus.PENDING_CANCEL for order in former)
    return Wait.FORMER_ENTRY_ENDS if ends else Wait.FORMER_ENTRY_WORKS


def _inactive(intent: OrderIntent, situation: Situation) -> Denial | None:
    deployment = intent.deployment
    runs = (
        deployment.desired_state == DesiredState.RUNNING
        and deployment.actual_state in {ActualState.STARTING, ActualState.RUNNING}
        # A command since the decision has taken its right away.
        and deployment.epoch == intent.epoch
    )
    if not runs:
        return Denial.DEPLOYMENT_INACTIVE
    # The decision may be older than the end of either: both are read again here, before the wire.
    if not deployment.owner.is_active:
        return Denial.OWNER_INACTIVE
    if deployment.pk not in situation.entitled:
        return Denial.ENTITLEMENT_ENDED
    if not markets.is_connected(situation.account):
        return Denial.ACCOUNT_NOT_CONNECTED
    return None if intent.instrument.is_active else Denial.MARKET_INACTIVE


def _too_late(intent: OrderIntent, situation: Situation, now: datetime) -> Denial | None:
    if intent.bar_close_at is None:
        return None
    oldest_s = _least("stale_after_seconds", intent, situation)
    if oldest_s is not None and not markets.is_paper(situation.account):
        age = now - intent.bar_close_at
        if age > timedelta(seconds=int(oldest_s)):
            return Denial.DATA_STALE
    horizons = settings.HORIZONS
    stale = staleness.is_stale(
        intent.bar_close_at,
        Timeframe(intent.deployment.timeframe),
        now=now,
        stale_s=horizons.stale_s,
        cap_s=horizons.stale_timeframe_cap_s,
    )
    return Denial.DATA_STALE if stale else None


def _too_small(intent: OrderIntent, quantity: Decimal) -> Denial | None:
    if quantity <= 0:
        return Denial.PRECISION_ROUNDED_TO_ZERO
    price = _price_of(intent)
    fits = sizing.is_closable if intent.reduce_only else sizing.is_tradable
    if price is not None and not fits(
        quantity, price=price, steps=markets.steps_of(intent.instrument)
    ):
        return Denial.NOTIONAL_BELOW_MINIMUM
    return None


def _cannot_be_protected(
    intent: OrderIntent, situation: Situation, quantity: Decimal
) -> Denial | None:
    """Refuse what could be bought, but is worth too little at its stop to be sold there."""
    price = _price_of(intent)
    if price is None or not intent.stop_percent or markets.is_paper(situation.account):
        return None
    kept = quantity * (1 - situation.account.venue.taker_fee_bps / 10_000)
    at_stop = price * (1 - Decimal(str(intent.stop_percent)) / 100)
    steps = markets.steps_of(intent.instrument)
    is_enough = sizing.is_closable(kept, price=at_stop, steps=steps)
    return None if is_enough else Denial.NOTIONAL_BELOW_MINIMUM


def _afford(intent: OrderIntent, situation: Situation, quantity: Decimal) -> Verdict:
    price = _price_of(intent)
    is_swap = _is_swap(intent)
    pays = intent.side == Side.BUY or is_swap
    if not pays or price is None or markets.is_paper(situation.account):
        # A paper deployment's wallet is its capital, which has sized the order already.
        return Cleared(quantity)
    currency = intent.instrument.quote
    needed = sizing.reservation(
        quantity,
        price=price,
        fee_bps=situation.account.venue.taker_fee_bps,
        margin_bps=_RESERVE_MARGIN_BPS,
        # Of a swap only the margin is paid, whichever way it goes.
        leverage=Decimal(str(intent.revision.rules["leverage"])) if is_swap else Decimal(1),
    )
    if situation.free is None:
        return Denial.BALANCE_UNKNOWN
    available = situation.free.get(currency, Decimal(0)) - situation.reserved.get(currency, 0)
    if available < needed:
        return Denial.INSUFFICIENT_FREE_BALANCE
    return Cleared(quantity, reserve=needed)


def _is_swap(intent: OrderIntent) -> bool:
    return intent.instrument.kind != InstrumentKind.SPOT


def _check_exit(intent: OrderIntent, situation: Situation) -> Verdict:
    place = (intent.deployment_id, intent.instrument_id)
    held = situation.held.get(place, Decimal(0))
    own = min(abs(held), intent.quantity) if intent.leg != Leg.EXIT else abs(held)
    free = _free_to_sell(intent, situation)
    others = [
        order
        for order in situation.working.get(place, ())
        if order.reduce_only and _is_in_the_way(order, intent)
    ]
    # A stop of unknown fate must not keep anybody from getting out. On a swap both may only reduce;
    # on spot the venue has to say that nothing holds what is to be sold.
    lost = [order for order in others if _is_lost(order) and closes_at_once(intent)]
    if len(others) > len(lost):
        # One at a time: two of them could sell what is not ours.
        return Wait.REDUCING_ORDER_WORKS
    if lost and not _is_swap(intent) and (free is None or free < own):
        return Wait.STOP_IS_LOST
    if (
        not closes_at_once(intent)
        and place in situation.exits_waiting
        # An exit that a halt keeps back protects nobody: the stop does meanwhile.
        and not _is_halted(intent, situation)
    ):
        return Wait.EXIT_COMES_FIRST
    if held == 0 or sizing.closing_side(held) != intent.side:
        return Denial.REDUCE_ONLY_WOULD_INCREASE_POSITION
    quantity = sizing.sellable(own=own, free=free, steps=markets.steps_of(intent.instrument))
    if quantity < own and _too_small(intent, quantity) and not _too_small(intent, own):
        # What we hold is locked at the venue for the moment; an exit is never given up for that.
        return Wait.BALANCE_NOT_FREE
    beside_lost = bool(lost) and not _is_swap(intent)
    return _too_small(intent, quantity) or Cleared(quantity, beside_lost=beside_lost)


def _free_to_sell(intent: OrderIntent, situation: Situation) -> Decimal | None:
    """Return what the venue says can be sold; None if nobody has to know."""
    # A swap is closed by an opposite order; there is no base currency to give away.
    gives_base = intent.side == Side.SELL and not _is_swap(intent)
    if not gives_base or situation.free is None or markets.is_paper(situation.account):
        return None
    return situation.free.get(intent.instrument.base, Decimal(0))


def _is_lost(order: Order) -> bool:
    return bool(order.leg == Leg.STOP and order.status == OrderStatus.UNKNOWN)


def _is_in_the_way(order: Order, intent: OrderIntent) -> bool:
    """Tell whether *intent*, which reduces, has to wait until *order*, which does too, has ended."""
    if closes_at_once(intent):
        return True
    if order.leg == Leg.EXIT or (order.leg == Leg.TARGET and not _rests(order, intent)):
        return True
    if order.leg != intent.leg:
        # Stop and targets of a swap rest beside one another.
        return False
    return order.leg == Leg.STOP or order.intent.step == intent.step


def closes_at_once(intent: OrderIntent) -> bool:
    """Tell whether *intent* is to close something now, and does not wait at the venue for its price."""
    return intent.leg == Leg.EXIT or (intent.leg == Leg.TARGET and not _rests(intent, intent))


def _rests(row: OrderIntent | Order, intent: OrderIntent) -> bool:
    """Tell whether a target rests beside the stop; on spot what it sells is taken from the stop."""
    return row.order_type == OrderType.LIMIT and _is_swap(intent)


def _price_of(intent: OrderIntent) -> Decimal | None:
    price: Decimal | None = intent.trigger_price or intent.price or intent.decided_price
    return price


def is_in_doubt(order: Order) -> bool:
    """Tell whether nobody knows what became of *order*; nothing new is opened beside it."""
    return order.status in {OrderStatus.UNKNOWN, OrderStatus.MANUAL_REVIEW}


def is_working(order: Order) -> bool:
    """Tell whether *order* may still fill, as far as we know."""
    return OrderStatus(order.status) in WORKING
