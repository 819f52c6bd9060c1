"""Balances as evidence: what an account held before an order was sent, and what it holds now."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from django.conf import settings

from exchanges.adapters.packs import pack_of
from exchanges.selectors import accounts as accounts_read
from market import money
from market.enums import InstrumentKind, Side
from trading.domain.absence import Holding
from trading.models import AccountPosition, Fill, Order
from trading.services.questions import Answers

if TYPE_CHECKING:
    from exchanges.models import Instrument

#: By currency, or by the symbol of a swap.
Amounts = dict[str, Decimal]


def note_before(orders: Sequence[Order]) -> None:
    """Note on new orders what their accounts were last said to hold, in two statements at most.

    Paper accounts hold nothing anywhere, and what nobody has said yet stays empty: then the absence
    of an order cannot be proven, and it stays UNKNOWN.
    """
    held = accounts_read.held_by_accounts({order.account_id for order in orders})
    live = [order for order in orders if order.account_id in held]
    swaps = [order for order in live if _is_swap(order.instrument)]
    positions = _positions_of(swaps) if swaps else {}
    for order in live:
        instrument = order.instrument
        if _is_swap(instrument):
            found = positions.get((order.account_id, instrument.pk))
            said = {} if found is None else {instrument.symbol: found}
        else:
            latest = max(at for _, at in held[order.account_id].values())
            nothing = (Decimal(0), latest)
            said = {
                name: held[order.account_id].get(name, nothing)
                for name in (instrument.base, instrument.quote)
            }
        order.balance_before = {
            name: [str(total), at.isoformat()] for name, (total, at) in said.items()
        }


def holdings(order: Order, *, answers: Answers) -> list[dict[str, Holding]] | None:
    """Return what *order* would have moved, before and now; None if either is not known.

    More than one reading is returned if it cannot be told which fills the first word on the
    account's holdings already contained, because they happened around the same time: the clocks
    differ. If one reading explains everything, nothing has moved.
    """
    instrument = order.instrument
    now = _held_now(instrument, answers)
    if not order.balance_before or now is None:
        return None
    least = {instrument.base: instrument.lot_step, instrument.symbol: instrument.lot_step}
    price = order.trigger_price or order.price or order.intent.decided_price
    if price is not None:
        least[instrument.quote] = instrument.lot_step * price
    before = {
        name: (Decimal(total), datetime.fromisoformat(at))
        for name, (total, at) in order.balance_before.items()
        if name in least
    }
    return [
        {
            name: Holding(
                before=total,
                booked=change.get(name, Decimal(0)),
                traded=traded.get(name, Decimal(0)),
                now=now.get(name, Decimal(0)),
                least=least[name],
            )
            for name, (total, _) in before.items()
        }
        for change, traded in _readings(order, since=min(at for _, at in before.values()))
    ]


def horizon_s(order: Order) -> float:
    """Return for how long the venue has to know nothing of *order* before that may be the truth.

    Longer where it is only found in lists: those may show an order late.
    """
    horizons = settings.HORIZONS
    pack = pack_of(order.instrument.venue.ccxt_id)
    return horizons.absence_s if pack.finds_by_client_id else horizons.absence_listed_s


def _is_swap(instrument: "Instrument") -> bool:
    return instrument.kind != InstrumentKind.SPOT


def _positions_of(orders: Sequence[Order]) -> dict[tuple[int, int], tuple[Decimal, datetime]]:
    rows = AccountPosition.objects.filter(
        account_id__in={order.account_id for order in orders},
        instrument_id__in={order.instrument_id for order in orders},
    )
    return {(row.account_id, row.instrument_id): (row.quantity, row.venue_at) for row in rows}


def _held_now(instrument: "Instrument", answers: Answers) -> dict[str, Decimal] | None:
    if _is_swap(instrument):
        if answers.positions is None:
            return None
        return {position.symbol: position.quantity for position in answers.positions}
    if answers.balances is None:
        return None
    return {balance.currency: balance.free + balance.used for balance in answers.balances}


def _readings(order: Order, *, since: datetime) -> list[tuple[Amounts, Amounts]]:
    """Return what the account's fills since an instant changed, and traded, by currency or swap."""
    around = timedelta(seconds=settings.HORIZONS.recent_s)
    found = Fill.objects.filter(account_id=order.account_id, venue_at__gt=since - around)
    fills = list(found.select_related("instrument").order_by("venue_at", "pk"))
    doubtful = [fill for fill in fills if fill.venue_at <= since + around]
    # The first word contained the oldest fills, up to one of the doubtful ones or to none of them.
    return [_moved_by(fills[first:]) for first in range(len(doubtful) + 1)]


def _moved_by(fills: Sequence[Fill]) -> tuple[Amounts, Amounts]:
    change: Amounts = defaultdict(Decimal)
    traded: Amounts = defaultdict(Decimal)
    with localcontext(money.WIDE):
        for fill in fills:
            sign = 1 if fill.side == Side.BUY else -1
            instrument = fill.instrument
            if _is_swap(instrument):
                moves = {instrument.symbol: sign * fill.quantity}
            else:
                moves = {
                    instrument.base: sign * fill.quantity,
                    instrument.quote: -sign * fill.quantity * fill.price,
                }
            for name, amount in moves.items():
                change[name] += amount
                traded[name] += abs(amount)
            change[fill.fee_currency] -= fill.fee
    return change, traded
