"""Sums beside the rows of the operators' lists, for all people."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import CharField, Count, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Cast, Coalesce, JSONObject

from referrals.domain.amounts import money
from referrals.domain.payouts import PayoutStatus
from referrals.models import Attribution, Commission, Payout, ReferralCode

_LEFT = F("amount") - F("taken_back")


def with_reach(codes: QuerySet[ReferralCode]) -> QuerySet[ReferralCode]:
    """Add sign_ups, conversions, earned, earned_total and last_payout_at to codes.

    ``earned`` is a list of sums by currency; ``earned_total`` adds them up, good for an order only.
    """
    mine = OuterRef("owner_id")
    brought = Attribution.objects.filter(owner_id=mine)
    sent = Payout.objects.filter(owner_id=mine, status=PayoutStatus.SENT).order_by("-closed_at")
    return codes.annotate(
        sign_ups=_count(brought),
        conversions=_count(brought.filter(first_paid_at__isnull=False)),
        last_payout_at=Subquery(sent.values("closed_at")[:1]),
        **_earned(Commission.objects.filter(owner_id=mine)),
    )


def with_earned(attributions: QuerySet[Attribution]) -> QuerySet[Attribution]:
    """Add earned and earned_total to attributions, as :func:`with_reach` does."""
    return attributions.annotate(
        **_earned(Commission.objects.filter(attribution_id=OuterRef("pk")))
    )


def words_of(sums: Sequence[dict[str, str]]) -> str:
    """Return sums by currency as text: ``9.60 EUR, 12.00 USD``."""
    return ", ".join(
        money(Decimal(each["total"]), each["currency"])
        for each in sorted(sums, key=lambda each: each["currency"])
    )


def _earned(commissions: QuerySet[Commission]) -> dict[str, Any]:
    by_currency = commissions.order_by().values("currency").annotate(total=Sum(_LEFT))
    texts = JSONObject(currency="currency", total=Cast("total", CharField()))
    return {
        "earned": ArraySubquery(by_currency.values(json=texts)),
        "earned_total": Coalesce(Subquery(_total(commissions, Sum(_LEFT))), Decimal(0)),
    }


def _count(rows: QuerySet[Any]) -> Coalesce:
    return Coalesce(Subquery(_total(rows, Count("pk"))), 0)


def _total(rows: QuerySet[Any], aggregate: Any) -> QuerySet[Any]:
    """Return *rows* as one group, whose only column is the aggregate."""
    one = rows.order_by().annotate(group=Value(1)).values("group")
    total: QuerySet[Any] = one.annotate(total=aggregate).values("total")
    return total
