"""What operators see of the referrals, and the payouts that they send or reject."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from foundation.admin import Deed, DeedAdmin, ReadOnlyAdmin
from foundation.admin.deeds import now
from foundation.audit import Actor
from referrals.domain.amounts import money
from referrals.domain.payouts import PayoutStatus
from referrals.models import Attribution, Clawback, Commission, Payout, ReferralCode
from referrals.selectors.earnings import balances_of
from referrals.selectors.operators import with_earned, with_reach, words_of
from referrals.services import payouts

_CHANGE_PAYOUT = "referrals.change_payout"


@admin.register(ReferralCode)
class ReferralCodeAdmin(ReadOnlyAdmin):
    """Everybody who may bring others, with how many came, have paid, and what that earned."""

    list_display = ("owner", "code", "sign_ups", "conversions", "earned", "last_payout_at")
    search_fields = ("code", "owner__email")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-id",)
    fields = ("owner", "code", "created_at", "sign_ups", "conversions", "earned", "balances")
    readonly_fields = fields
    export_fields = ("owner__email", "code", "sign_ups", "conversions", "earned", "last_payout_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReferralCode]:
        """Add the sums beside each code."""
        return with_reach(super().get_queryset(request))

    @admin.display(ordering="sign_ups")
    def sign_ups(self, row: Any) -> int:
        """How many signed up by the link."""
        return int(row.sign_ups)

    @admin.display(ordering="conversions")
    def conversions(self, row: Any) -> int:
        """How many of them have paid."""
        return int(row.conversions)

    @admin.display(ordering="earned_total")
    def earned(self, row: Any) -> str:
        """What was earned and not taken back."""
        return words_of(row.earned)

    @admin.display(ordering="last_payout_at")
    def last_payout_at(self, row: Any) -> Any:
        """When the last payout was sent."""
        return row.last_payout_at

    @admin.display
    def balances(self, row: ReferralCode) -> str:
        """Where the commissions are now."""
        return "; ".join(
            f"pending {money(balance.pending, balance.currency)}, "
            f"payable {money(balance.payable, balance.currency)}, "
            f"asked for {money(balance.requested, balance.currency)}, "
            f"paid out {money(balance.paid, balance.currency)}"
            for balance in balances_of(row.owner)
        )


@admin.register(Attribution)
class AttributionAdmin(ReadOnlyAdmin):
    """Who was brought by whom."""

    list_display = ("referred", "owner", "code", "signed_up_at", "first_paid_at", "earned")
    list_filter = (("first_paid_at", admin.EmptyFieldListFilter),)
    search_fields = ("owner__email", "referred__email", "code")
    list_select_related = ("owner", "referred")
    date_hierarchy = "signed_up_at"
    ordering = ("-id",)
    export_fields = (
        "owner__email",
        "referred__email",
        "code",
        "signed_up_at",
        "first_paid_at",
        "earned",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attribution]:
        """Add what each one earned."""
        return with_earned(super().get_queryset(request))

    @admin.display(ordering="earned_total")
    def earned(self, row: Any) -> str:
        """What this person's payments earned and refunds have left."""
        return words_of(row.earned)


@admin.register(Commission)
class CommissionAdmin(ReadOnlyAdmin):
    """What was earned by which payment."""

    list_display = (
        "earned_at",
        "owner",
        "referred",
        "payment_id",
        "amount",
        "taken_back",
        "currency",
        "rate",
        "status",
        "payable_from",
    )
    list_filter = ("status", "currency")
    search_fields = ("owner__email", "attribution__referred__email", "public_id", "=payment_id")
    list_select_related = ("owner", "attribution__referred")
    date_hierarchy = "earned_at"
    ordering = ("-id",)
    export_fields = (
        "public_id",
        "owner__email",
        "payment_id",
        "amount",
        "taken_back",
        "currency",
        "rate",
        "status",
        "earned_at",
    )

    @admin.display(ordering="attribution__referred__email")
    def referred(self, row: Commission) -> Any:
        """Who paid."""
        return row.attribution.referred


@admin.register(Clawback)
class ClawbackAdmin(ReadOnlyAdmin):
    """Refunds to people who were brought, and what they took back."""

    list_display = (
        "occurred_at",
        "owner",
        "refund_id",
        "payment_id",
        "total_refunded",
        "amount",
        "currency",
    )
    list_filter = ("currency", ("commission", admin.EmptyFieldListFilter))
    search_fields = ("owner__email", "=refund_id", "=payment_id")
    list_select_related = ("owner",)
    date_hierarchy = "occurred_at"
    ordering = ("-id",)


class SendForm(forms.Form):
    """By what the person finds the transfer."""

    reference = forms.CharField(
        max_length=payouts.LONGEST_REFERENCE,
        help_text="The number of the transfer, or the hash of the transaction; the person reads it.",
        widget=UnfoldAdminTextInputWidget(),
    )


class RejectForm(forms.Form):
    """Why the person does not get it."""

    note = forms.CharField(
        label="Reason",
        max_length=payouts.LONGEST_NOTE,
        help_text="The person reads it.",
        widget=UnfoldAdminTextInputWidget(),
    )


def _is_open(payout: Payout) -> bool:
    return payout.status == PayoutStatus.REQUESTED


def _send(payout: Payout, by: Actor, values: Mapping[str, Any]) -> None:
    payouts.send_payout(payout_id=payout.pk, reference=values["reference"], by=by, now=now())


def _reject(payout: Payout, by: Actor, values: Mapping[str, Any]) -> None:
    payouts.reject_payout(payout_id=payout.pk, note=values["note"], by=by, now=now())


@admin.register(Payout)
class PayoutAdmin(DeedAdmin):
    """What is to be paid out, and what was."""

    list_display = (
        "requested_at",
        "owner",
        "amount",
        "currency",
        "method",
        "status",
        "closed_at",
        "reference",
    )
    list_filter = ("status", "method", "currency")
    search_fields = ("owner__email", "public_id", "reference", "destination")
    list_select_related = ("owner",)
    date_hierarchy = "requested_at"
    ordering = ("-id",)
    export_fields = (
        "public_id",
        "owner__email",
        "amount",
        "currency",
        "method",
        "status",
        "requested_at",
        "closed_at",
        "reference",
    )
    deeds = (
        Deed(
            name="send",
            label="Mark as sent",
            done="marked as sent",
            text="Transfer the money first. The person is mailed the reference; this cannot be undone.",
            permission=_CHANGE_PAYOUT,
            perform=_send,
            form=SendForm,
            applies_to=_is_open,
            for_list=False,
        ),
        Deed(
            name="reject",
            label="Reject",
            done="rejected",
            text="The amount becomes payable again, and the person is mailed the reason.",
            permission=_CHANGE_PAYOUT,
            perform=_reject,
            form=RejectForm,
            applies_to=_is_open,
            is_dangerous=True,
        ),
    )
