"""What a person is told about commissions and payouts; never who it was that paid."""

from datetime import UTC, datetime

from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from foundation.transactions import part_of_transaction
from referrals.domain.amounts import money
from referrals.models import Commission, Payout


@part_of_transaction
def tell_earned(commission: Commission) -> None:
    """Say what was earned and from when on it can be paid out; once for each commission."""
    amount = money(commission.amount - commission.taken_back, commission.currency)
    payable_from = _day(commission.payable_from)
    notify(
        owner_id=commission.owner_id,
        kind=NotificationKind.COMMISSION_EARNED,
        key=f"commission-earned:{commission.pk}",
        title=f"You earned a commission of {amount}",
        body=(
            "Somebody who came by your link has paid. "
            f"It can be paid out from {payable_from} on, unless the payment is refunded before."
        ),
        path=reverse("referrals:overview"),
        mail=MailKind.COMMISSION_EARNED,
        facts={"commission": amount, "payable_from": payable_from},
    )


@part_of_transaction
def tell_sent(payout: Payout) -> None:
    """Say that a payout is on its way, with the reference by which it is found."""
    amount = money(payout.amount, payout.currency)
    notify(
        owner_id=payout.owner_id,
        kind=NotificationKind.PAYOUT_SENT,
        key=f"payout-sent:{payout.pk}",
        title=f"Your payout of {amount} was sent",
        body=f"Its reference is “{payout.reference}”.",
        path=reverse("referrals:overview"),
        mail=MailKind.PAYOUT_SENT,
        facts={"payout": amount, "reference": payout.reference},
    )


@part_of_transaction
def tell_rejected(payout: Payout) -> None:
    """Say why a payout was rejected, and that the amount is payable again."""
    amount = money(payout.amount, payout.currency)
    notify(
        owner_id=payout.owner_id,
        kind=NotificationKind.PAYOUT_REJECTED,
        key=f"payout-rejected:{payout.pk}",
        title=f"Your payout of {amount} was rejected",
        body=payout.note,
        path=reverse("referrals:overview"),
        level=NotificationLevel.WARNING,
        mail=MailKind.PAYOUT_REJECTED,
        facts={"payout": amount},
    )


def _day(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%-d %B %Y")
