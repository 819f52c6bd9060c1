"""What operators see of the referrals, and the payouts that they send or reject."""

from django.contrib import admin

from foundation.admin import DeedAdmin, ReadOnlyAdmin
from referrals.models import Attribution, Clawback, Commission, Payout, ReferralCode


@admin.register(ReferralCode)
class ReferralCodeAdmin(ReadOnlyAdmin):
    """Who brings others with which code."""

    list_display = ("code", "owner", "created_at")
    search_fields = ("code", "owner__email")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(Attribution)
class AttributionAdmin(ReadOnlyAdmin):
    """Who was brought by whom."""

    list_display = ("referred", "owner", "code", "clicked_at", "signed_up_at", "first_paid_at")
    list_filter = (("first_paid_at", admin.EmptyFieldListFilter),)
    search_fields = ("owner__email", "referred__email", "code")
    list_select_related = ("owner", "referred")
    date_hierarchy = "signed_up_at"
    ordering = ("-id",)


@admin.register(Commission)
class CommissionAdmin(ReadOnlyAdmin):
    """What was earned by which payment."""

    list_display = ("earned_at", "owner", "amount", "taken_back", "currency", "status")
    list_filter = ("status", "currency")
    search_fields = ("owner__email", "attribution__referred__email", "public_id")
    list_select_related = ("owner",)
    date_hierarchy = "earned_at"
    ordering = ("-id",)


@admin.register(Clawback)
class ClawbackAdmin(ReadOnlyAdmin):
    """What refunds took back."""

    list_display = ("occurred_at", "owner", "refund_id", "payment_id", "amount", "currency")
    list_filter = ("currency",)
    search_fields = ("owner__email", "refund_id", "payment_id")
    list_select_related = ("owner",)
    date_hierarchy = "occurred_at"
    ordering = ("-id",)


@admin.register(Payout)
class PayoutAdmin(DeedAdmin):
    """What is to be paid out, and what was."""

    list_display = ("requested_at", "owner", "amount", "currency", "method", "status")
    list_filter = ("status", "method", "currency")
    search_fields = ("owner__email", "public_id", "reference", "destination")
    list_select_related = ("owner",)
    date_hierarchy = "requested_at"
    ordering = ("-id",)
