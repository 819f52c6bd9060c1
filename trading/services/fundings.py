"""What fundings of swaps took from accounts and brought them, booked to the deployments that held the positions.

The venue's own list of payments is the truth. An account pays for its net position, so a deployment's share is
what it held of that at the instant; what nobody of ours held is not ours, and not booked.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from django.db.models import Case, Exists, F, OuterRef, Q, Sum, When
from django.db.models.functions import Coalesce

from exchanges.adapters.protocol import FundingPaymentReport
from foundation.transactions import part_of_transaction, transactional
from market import money
from market.enums import InstrumentKind, Side
from trading.models import (
    AccountPosition,
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    Fill,
    FundingCursor,
    FundingPayment,
)
from trading.services import locks
from trading.services.venues import VenueSession

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount

logger = logging.getLogger(__name__)

_ACCOUNTS_AT_ONCE: Final = 20

#: Venues settle fundings at whole hours.
_EVERY: Final = timedelta(hours=1)

#: A payment is listed within this, and its executions are booked; a list is asked for again from so long before.
_SETTLES_WITHIN: Final = timedelta(minutes=1)
_OVERLAP: Final = timedelta(hours=2)

#: A venue that did not answer is asked again after this long.
_AGAIN_AFTER: Final = timedelta(minutes=5)

#: Payments are looked for so long after a deployment's end, and so far back the first time.
_LOOK_BACK: Final = timedelta(hours=48)

_NOTHING: Final = Decimal(0)


def book_due(*, now: datetime) -> int:
    """Ask for the payments of the accounts whose turn it is, and book them; return how many accounts answered."""
    due = _due(now)
    if not due:
        return 0
    with VenueSession([account.pk for account in due]) as session:
        answers = session.funding_payments({account.pk: since for account, since in due.items()})
    for account in due:
        payments = answers[account.pk]
        if payments is not None:
            _book(account, payments, now=now)
        _note_asked(account, has_answered=payments is not None, now=now)
    return sum(payments is not None for payments in answers.values())


def _due(now: datetime) -> "Mapping[ExchangeAccount, datetime]":
    """Return the accounts to ask, with the instants since when; those that hold no swap are left alone."""
    lately = now - _LOOK_BACK
    held = DeploymentPosition.objects.filter(
        deployment=OuterRef("deployment"), instrument=OuterRef("instrument")
    ).exclude(quantity=0)
    rows = (
        DeploymentInstrument.objects.filter(
            account__kind="LIVE", instrument__kind=InstrumentKind.LINEAR_SWAP.value
        )
        .filter(Q(is_active=True) | Q(deployment__stopped_at__gt=lately) | Exists(held))
        .select_related("account")
        .order_by("account_id")
        .distinct("account_id")
    )
    cursors = FundingCursor.objects.in_bulk(field_name="account_id")
    due = {}
    for row in rows:
        cursor = cursors.get(row.account_id)
        if cursor is None or cursor.next_at <= now:
            known = cursor.booked_to if cursor is not None else None
            due[row.account] = lately if known is None else known - _OVERLAP
        if len(due) == _ACCOUNTS_AT_ONCE:
            break
    return due


@transactional
def _book(
    account: "ExchangeAccount", payments: Sequence[FundingPaymentReport], *, now: datetime
) -> None:
    """Book the shares of payments, each once; may be called with the same ones again."""
    symbols = {each.symbol for each in payments}
    found = DeploymentInstrument.objects.filter(account=account, instrument__symbol__in=symbols)
    instruments = dict(found.values_list("instrument__symbol", "instrument_id"))
    deployments = locks.lock_deployments(
        Deployment.objects.filter(pk__in=found.values("deployment_id"))
    )
    rows = [
        FundingPayment(
            owner_id=account.owner_id,
            deployment_id=deployment_id,
            account=account,
            instrument_id=instruments[payment.symbol],
            venue_payment_id=payment.venue_payment_id,
            amount=share,
            currency=payment.currency,
            paid_at=payment.paid_at,
        )
        for payment in payments
        if payment.symbol in instruments and payment.paid_at <= now - _SETTLES_WITHIN
        for deployment_id, share in _shares(
            payment, account, instrument_id=instruments[payment.symbol]
        ).items()
    ]
    FundingPayment.objects.bulk_create(rows, ignore_conflicts=True)
    for deployment in deployments:
        _add_up(deployment)


def _shares(
    payment: FundingPaymentReport, account: "ExchangeAccount", *, instrument_id: int
) -> Mapping[int, Decimal]:
    """Return what each deployment that held something at the instant gets of a payment."""
    signed = Case(When(side=Side.BUY.value, then=F("quantity")), default=-F("quantity"))
    here = {"account": account, "instrument_id": instrument_id}
    held = dict(
        Fill.objects.filter(**here, venue_at__lte=payment.paid_at)
        .values_list("deployment_id")
        .annotate(held=Sum(signed))
        .exclude(held=0)
        .order_by()
    )
    external = (
        AccountPosition.objects.filter(**here).values_list("external_quantity", flat=True).first()
    )
    with localcontext(money.WIDE):
        total = sum(held.values(), external or _NOTHING)
        if not total:
            return {}
        return {
            deployment_id: money.quantize_money(payment.amount * quantity / total)
            for deployment_id, quantity in held.items()
        }


@part_of_transaction
def _add_up(deployment: Deployment) -> None:
    """Let each position of a locked deployment tell the sum of what is booked."""
    for position in DeploymentPosition.objects.select_for_update(of=("self",)).filter(
        deployment=deployment
    ):
        booked = FundingPayment.objects.filter(
            deployment=deployment, instrument_id=position.instrument_id
        ).aggregate(total=Coalesce(Sum("amount"), _NOTHING))["total"]
        if booked != position.funding:
            position.funding = booked
            position.version += 1
            position.save(update_fields=["funding", "version"])


@transactional
def _note_asked(account: "ExchangeAccount", *, has_answered: bool, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    known = {"next_at": now + _AGAIN_AFTER}
    if has_answered:
        # From the next whole hour on there may be another one.
        known = {"next_at": hour + _EVERY + 2 * _SETTLES_WITHIN, "booked_to": now}
    else:
        logger.info("funding.not_told", extra={"account_id": account.pk})
    FundingCursor.objects.update_or_create(
        account=account, defaults={"owner_id": account.owner_id, **known}
    )
