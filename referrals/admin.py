"""The operators' list of referral codes."""

from django.contrib import admin

from foundation.admin import ReadOnlyAdmin
from referrals.models import ReferralCode


@admin.register(ReferralCode)
class ReferralCodeAdmin(ReadOnlyAdmin):
    """Who brings others with which code."""

    list_display = ("code", "owner", "created_at")
    search_fields = ("code", "owner__email")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-id",)
