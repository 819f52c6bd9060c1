"""What is wrong on an account, once a day, over two days: a report that has to be empty.

The loops of every few seconds look at what is open. This one looks at what they could have missed.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import DecimalField, F, Sum
from django.db.models.functions import Coalesce

from exchanges.services import leases
from exchanges.services.leases import AccountLease
from foundation.transactions import transactional
from market.enums import OrderStatus
from market.orders import TERMINAL
from trading.models import AccountPosition, Fill, Order, ReconciliationReport
from trading.services.questions import Answers

#: The span of a report: a day is missed now and then.
SPAN: Final = timedelta(hours=48)

#: Nothing stays on its way, or in doubt, for so long.
_STUCK: Final = timedelta(minutes=15)

#: What is younger may still be on its way from one side to the other.
_YOUNG: Final = timedelta(minutes=1)

_WAITING: Final = [
    OrderStatus.SUBMITTING.value,
    OrderStatus.UNKNOWN.value,
    OrderStatus.PENDING_CANCEL.value,
]

#: From when on a day's report is due, by UTC; whatever was missed then is made up for later.
_DUE_AT: Final = time(3, 10)

Finding = dict[str, str]


def due_accounts(*, now: datetime, limit: int) -> list[int]:
    """Return accounts whose report of the day is due and not there, at most *limit*."""
    if now.astimezone(UTC).time() < _DUE_AT:
        return []
    done = set(
        ReconciliationReport.objects.filter(day=now.date()).values_list("account_id", flat=True)
    )
    return [each for each in leases.in_trading() if each not in done][:limit]


@transactional
def store(
    *,
    lease: AccountLease,
    answers: Answers,
    symbols: Mapping[str, int],
    missed: Sequence[Finding],
    now: datetime,
) -> None:
    """Store the report of an account that has just been compared over the whole span, once a day.

    *missed* is what ``missed_fills`` said before the answers were applied.
    """
    leases.hold(lease)
    account_id = lease.account_id
    findings = [
        *_stuck(account_id, now),
        *missed,
        *_unlisted(account_id, answers, symbols, now),
        *_differing_sums(account_id, now),
        *_resting_though_over(account_id, answers),
        *_drifted(account_id),
    ]
    owner_id = leases.owner_of(lease)
    ReconciliationReport.objects.bulk_create(
        [
            ReconciliationReport(
                owner_id=owner_id,
                account_id=account_id,
                day=now.date(),
                made_at=now,
                finding_count=len(findings),
                findings=findings,
            )
        ],
        ignore_conflicts=True,
    )


def _finding(code: str, about: str, text: str) -> Finding:
    return {"code": code, "about": about, "text": text}


def _stuck(account_id: int, now: datetime) -> list[Finding]:
    waiting = Order.objects.filter(
        account_id=account_id, status__in=_WAITING, active_at__lt=now - _STUCK
    )
    review = Order.objects.filter(account_id=account_id, status=OrderStatus.MANUAL_REVIEW.value)
    return [
        _finding("stuck", order.client_order_id, f"It has been {order.status} for too long.")
        for order in waiting.union(review).order_by("id")
    ]


def missed_fills(
    account_id: int, *, answers: Answers, symbols: Mapping[str, int], now: datetime
) -> list[Finding]:
    """Return executions of our orders that the venue lists and that nobody has booked so far."""
    found = []
    for symbol, reports in answers.fills.items():
        here = {"account_id": account_id, "instrument_id": symbols[symbol]}
        ours = set(
            Order.objects.filter(
                **here, venue_order_id__in=[report.venue_order_id for report in reports]
            ).values_list("venue_order_id", flat=True)
        )
        booked = set(
            Fill.objects.filter(
                **here, venue_trade_id__in=[report.venue_trade_id for report in reports]
            ).values_list("venue_trade_id", flat=True)
        )
        found += [
            _finding("fill_missed", report.venue_trade_id, f"{report.symbol}: booked only now.")
            for report in reports
            if report.venue_order_id in ours
            and report.venue_trade_id not in booked
            and report.venue_at < now - _YOUNG
        ]
    return found


def _unlisted(
    account_id: int, answers: Answers, symbols: Mapping[str, int], now: datetime
) -> list[Finding]:
    """Return booked executions of the span that the venue does not list."""
    found = []
    for symbol, reports in answers.fills.items():
        listed = {report.venue_trade_id for report in reports}
        booked = Fill.objects.filter(
            account_id=account_id,
            instrument_id=symbols[symbol],
            venue_at__gte=now - SPAN,
            recorded_at__lt=now - _YOUNG,
        )
        found += [
            _finding("fill_not_listed", trade_id, f"{symbol}: the exchange does not list it.")
            for trade_id in booked.values_list("venue_trade_id", flat=True)
            if trade_id not in listed
        ]
    return found


def _differing_sums(account_id: int, now: datetime) -> list[Finding]:
    """Return orders of the span whose filled quantity is not the sum of their executions."""
    zero = Decimal(0)
    differing = (
        Order.objects.filter(account_id=account_id, active_at__gte=now - SPAN)
        .annotate(booked=Coalesce(Sum("fills__quantity"), zero, output_field=DecimalField()))
        .exclude(booked=F("filled_quantity"))
    )
    return [
        _finding(
            "sum_differs",
            order.client_order_id,
            f"{order.filled_quantity.normalize():f} filled, {order.booked.normalize():f} booked.",
        )
        for order in differing.order_by("pk")
    ]


def _resting_though_over(account_id: int, answers: Answers) -> list[Finding]:
    """Return orders that are over here and rest there."""
    resting = [
        report.client_order_id for reports in answers.open_orders.values() for report in reports
    ]
    over = Order.objects.filter(
        account_id=account_id,
        client_order_id__in=resting,
        status__in=[status.value for status in TERMINAL],
    )
    return [
        _finding("rests_though_over", order.client_order_id, f"{order.status} here, open there.")
        for order in over.order_by("pk")
    ]


def _drifted(account_id: int) -> list[Finding]:
    rows = AccountPosition.objects.filter(account_id=account_id, drift_seen__gt=0)
    return [
        _finding(
            "position_drift",
            row.instrument.symbol,
            f"{row.quantity.normalize():f} there, {row.deployed_quantity.normalize():f} by our fills.",
        )
        for row in rows.select_related("instrument").order_by("pk")
    ]
