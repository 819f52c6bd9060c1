"""What accounts have to spend: what their venues last said, and what we have done since.

A venue is asked anew when its last word is too old, when something on a spot market is to be sold
off, and when the last word would keep an order from going: what is remembered may only say yes. If
the venue then refuses an order for want of funds, it is asked at once.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Subquery

from exchanges.adapters.protocol import BalanceReport
from exchanges.selectors import balances as told_balances
from exchanges.selectors.balances import Told
from market.enums import InstrumentKind, OrderStatus, Side
from market.orders import RESTING
from trading.models import Fill, Order, Reservation
from trading.services import venues


@dataclass(frozen=True, slots=True)
class Funds:
    """What an account has free, by currency; None if its venue has not said.

    ``is_fresh`` is whether the venue was asked for this very purpose; otherwise it was asked ``at``.
    """

    free: Mapping[str, Decimal] | None
    is_fresh: bool
    at: datetime | None = None

    @classmethod
    def of(cls, told: Sequence[BalanceReport] | None) -> "Funds":
        """Return what a venue has just said, or has not."""
        if told is None:
            return cls(None, is_fresh=True)
        return cls({each.currency: each.free for each in told}, is_fresh=True)


def remembered(account_ids: Collection[int], *, now: datetime) -> dict[int, Funds]:
    """Return what is known without asking, by account; who is missing has to be asked."""
    since = now - timedelta(seconds=settings.HORIZONS.balance_s)
    told = told_balances.last_told(account_ids, since=since)
    moved = _moved_since(told)
    return {
        account_id: Funds(_with(each.free, moved[account_id]), is_fresh=False, at=each.at)
        for account_id, each in told.items()
    }


def reserved(known: Mapping[int, Funds]) -> dict[int, dict[str, Decimal]]:
    """Return what is set aside and not yet missing from what is free, by account and currency.

    What rests at a venue is held there: a word on what is free that is younger counts it already. A
    stop holds nothing before it wakes.
    """
    aside: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    resting = Order.objects.filter(
        intent=OuterRef("intent"),
        status__in=[status.value for status in (*RESTING, OrderStatus.PENDING_CANCEL)],
        trigger_price=None,
    )
    rows = Reservation.objects.filter(account__in=list(known), released_at=None).annotate(
        rests_since=Subquery(resting.values("active_at")[:1])
    )
    for account_id, currency, amount, since in rows.values_list(
        "account_id", "currency", "amount", "rests_since"
    ):
        if since is None or not _is_younger(known[account_id], since):
            aside[account_id][currency] += amount
    return aside


def _is_younger(funds: Funds, since: datetime) -> bool:
    """Tell whether a word on what is free knows for sure of what has been so *since*."""
    if funds.is_fresh or funds.at is None:
        return True
    # All that one claim does carries the instant of its beginning; in doubt the venue is asked.
    return since + timedelta(seconds=venues.claim_seconds()) < funds.at


def _with(free: Mapping[str, Decimal], moved: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    zero = Decimal(0)
    return {
        currency: max(zero, free.get(currency, zero) + moved.get(currency, zero))
        for currency in {*free, *moved}
    }


def _moved_since(told: Mapping[int, Told]) -> dict[int, dict[str, Decimal]]:
    """Return what our executions have changed since each venue was asked, by account and currency.

    One that was booked after the question may be in the answer already; then money counts as spent
    twice, and the venue is asked.
    """
    moved: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    if not told:
        return moved
    fills = (
        Fill.objects.filter(
            account__in=list(told), recorded_at__gt=min(each.at for each in told.values())
        )
        .select_related("instrument")
        .only(
            "account_id", "side", "quantity", "price", "fee", "fee_currency", "recorded_at",
            "instrument__base", "instrument__quote", "instrument__kind",
        )
    )  # fmt: skip
    for fill in fills:
        if fill.recorded_at > told[fill.account_id].at:
            _book(fill, moved[fill.account_id])
    return moved


def _book(fill: Any, moved: dict[str, Decimal]) -> None:
    # The type is Any because the rows hold only some of their columns.
    instrument = fill.instrument
    value = fill.quantity * fill.price
    if fill.fee_currency:
        moved[fill.fee_currency] -= fill.fee
    if instrument.kind != InstrumentKind.SPOT:
        # How much of it is margin only the venue knows: as if all of it were.
        moved[instrument.quote] -= value
    elif fill.side == Side.BUY:
        moved[instrument.quote] -= value
        moved[instrument.base] += fill.quantity
    else:
        moved[instrument.quote] += value
        moved[instrument.base] -= fill.quantity
