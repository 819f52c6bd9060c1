"""The operators' lists of payments, of what providers told, and of the books."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from billing.admin.deeds import NoteForm
from billing.domain.payments import PaymentState
from billing.models import (
    DevelopmentCharge,
    DevelopmentNotice,
    DevelopmentRefund,
    Dispute,
    LedgerAccount,
    LedgerCheck,
    LedgerEntry,
    LedgerPosting,
    Payment,
    PaymentTransition,
    ProviderEvent,
    Refund,
)
from billing.selectors import ledger
from billing.services import refunds
from foundation.admin import Deed, DeedAdmin, ReadOnlyAdmin
from foundation.admin.deeds import now
from foundation.audit import Actor

_REFUNDABLE: Final = {PaymentState.SETTLED, PaymentState.PARTLY_REFUNDED}


class RefundForm(NoteForm):
    """How much to give back."""

    field_order = ("amount", "note")

    amount = forms.DecimalField(
        required=False,
        max_digits=12,
        decimal_places=3,
        help_text="Empty for all that is left. A payment given back in whole takes its time with it.",
        widget=UnfoldAdminDecimalFieldWidget(),
    )


def _refund(payment: Payment, by: Actor, values: Mapping[str, Any]) -> str:
    refund = refunds.request_refund(
        payment_id=payment.pk, amount=values["amount"], note=values["note"], by=by, now=now()
    )
    return f"{refund.amount.normalize():f} {refund.currency} are being given back."


PAYMENT_DEEDS: Final = (
    Deed(
        name="refund",
        label="Give money back",
        done="given back",
        text="The provider is told at once; the books, the subscription and a mail follow its answer.",
        permission="billing.change_payment",
        perform=_refund,
        form=RefundForm,
        applies_to=lambda payment: payment.state in _REFUNDABLE,
        for_list=False,
        is_dangerous=True,
    ),
)


class _RowsInline(TabularInline):  # type: ignore[misc]  # the theme ships no types
    """Rows of a row, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: object, obj: object = None) -> bool:
        """Services add rows."""
        return False


class TransitionInline(_RowsInline):
    """How a payment came to its state."""

    model = PaymentTransition
    fields = ("at", "from_state", "to_state", "actor_kind", "actor_identifier", "evidence")
    readonly_fields = fields
    ordering = ("pk",)


class RefundInline(_RowsInline):
    """What was given back of a payment."""

    model = Refund
    fields = ("requested_at", "amount", "state", "settled_at", "actor_identifier", "note")
    readonly_fields = fields
    ordering = ("pk",)


class PostingInline(_RowsInline):
    """The lines of an entry."""

    model = LedgerPosting
    fields = ("account", "currency", "amount")
    readonly_fields = fields
    ordering = ("pk",)


@admin.register(Payment)
class PaymentAdmin(DeedAdmin):
    """What people ordered and paid."""

    deeds = PAYMENT_DEEDS
    list_display = (
        "ordered_at",
        "owner",
        "product",
        "interval",
        "amount",
        "currency",
        "state",
        "provider",
        "settled_at",
        "refunded_amount",
    )
    list_filter = ("state", "provider", "currency", "is_live", "interval")
    search_fields = ("owner__email", "product__code", "public_id", "provider_reference")
    list_select_related = ("owner", "product")
    date_hierarchy = "ordered_at"
    ordering = ("-pk",)
    inlines = (TransitionInline, RefundInline)
    export_fields = (
        "public_id",
        "owner",
        "product",
        "interval",
        "amount",
        "currency",
        "fee",
        "refunded_amount",
        "state",
        "provider",
        "ordered_at",
        "settled_at",
    )


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """What was given back, or is to be."""

    list_display = ("requested_at", "owner", "payment", "amount", "currency", "state", "settled_at")
    list_filter = ("state", "currency")
    search_fields = ("owner__email", "public_id", "payment__public_id", "note")
    list_select_related = ("owner", "payment__product")
    date_hierarchy = "requested_at"
    ordering = ("-pk",)
    export_fields = list_display


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    """What banks have taken back; they are answered on the provider's pages."""

    list_display = (
        "opened_at",
        "owner",
        "payment",
        "amount",
        "currency",
        "fee",
        "state",
        "closed_at",
        "provider_reference",
    )
    list_filter = ("state", "currency")
    search_fields = ("owner__email", "provider_reference", "payment__public_id", "public_id")
    list_select_related = ("owner", "payment__product")
    date_hierarchy = "opened_at"
    ordering = ("-pk",)
    export_fields = list_display


@admin.register(PaymentTransition)
class PaymentTransitionAdmin(ReadOnlyAdmin):
    """Every change of a payment's state."""

    list_display = ("at", "payment", "from_state", "to_state", "actor_kind", "actor_identifier")
    list_filter = ("to_state", "actor_kind")
    search_fields = ("payment__public_id", "actor_identifier")
    list_select_related = ("payment__product",)
    date_hierarchy = "at"
    ordering = ("-pk",)


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    """What providers told us, and what became of it."""

    list_display = (
        "received_at",
        "provider",
        "kind",
        "external_id",
        "state",
        "reason",
        "deliveries",
        "body_changed",
        "payment",
    )
    list_filter = ("state", "provider", "kind", "reason", "body_changed", "is_live")
    search_fields = ("external_id", "reference", "payment__public_id")
    list_select_related = ("payment__product",)
    date_hierarchy = "received_at"
    ordering = ("-pk",)
    exclude = ("body",)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """The books, entry by entry."""

    list_display = ("occurred_at", "source", "source_id", "kind", "lines", "reverses", "memo")
    list_filter = ("source", "kind")
    search_fields = ("source_id", "memo")
    list_select_related = ("reverses",)
    date_hierarchy = "occurred_at"
    ordering = ("-pk",)
    inlines = (PostingInline,)


@admin.register(LedgerPosting)
class LedgerPostingAdmin(ReadOnlyAdmin):
    """The books, line by line: debits above zero, credits below."""

    list_display = ("entry", "account", "currency", "amount")
    list_filter = ("currency", "account__code")
    search_fields = ("entry__source_id", "account__owner__email")
    list_select_related = ("entry", "account")
    ordering = ("-pk",)
    export_fields = ("entry", "account", "currency", "amount")


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    """The accounts that were posted to, and the trial balance over all of them."""

    list_display = ("code", "kind", "currency", "owner", "created_at")
    list_filter = ("code", "kind", "currency")
    search_fields = ("code", "owner__email")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("currency", "code", "pk")
    change_list_template = "admin/ledger/accounts.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the trial balance."""
        page = path(
            "trial-balance/",
            self.admin_site.admin_view(self._trial_balance),
            name="billing_trial_balance",
        )
        return [page, *super().get_urls()]

    def _trial_balance(self, request: HttpRequest) -> HttpResponse:
        """Show every account's balance, and what the last comparison found."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Trial balance",
            "opts": self.model._meta,
            "balance": ledger.trial_balance(),
            "check": ledger.last_check(),
        }
        return TemplateResponse(request, "admin/ledger/trial_balance.html", context)


@admin.register(LedgerCheck)
class LedgerCheckAdmin(ReadOnlyAdmin):
    """What each comparison of the books has found."""

    list_display = ("checked_at", "found")
    search_fields = ("violations",)
    date_hierarchy = "checked_at"
    ordering = ("-checked_at",)

    @admin.display(description="violations")
    def found(self, check: LedgerCheck) -> int:
        """Count what was wrong."""
        return len(check.violations)


@admin.register(DevelopmentCharge)
class DevelopmentChargeAdmin(ReadOnlyAdmin):
    """What the bank for development asked for."""

    list_display = ("created_at", "description", "amount", "currency", "state", "fee")
    list_filter = ("state", "currency")
    search_fields = ("reference", "description", "customer")
    date_hierarchy = "created_at"
    ordering = ("-pk",)


@admin.register(DevelopmentRefund)
class DevelopmentRefundAdmin(ReadOnlyAdmin):
    """What the bank for development gave back."""

    list_display = ("created_at", "charge", "amount")
    search_fields = ("reference", "charge__reference")
    list_select_related = ("charge",)
    date_hierarchy = "created_at"
    ordering = ("-pk",)


@admin.register(DevelopmentNotice)
class DevelopmentNoticeAdmin(ReadOnlyAdmin):
    """What the bank for development told us, or still has to."""

    list_display = ("created_at", "kind", "charge", "delivered_at", "attempts")
    list_filter = ("kind", ("delivered_at", admin.EmptyFieldListFilter))
    search_fields = ("external_id", "charge__reference")
    list_select_related = ("charge",)
    date_hierarchy = "created_at"
    ordering = ("-pk",)
