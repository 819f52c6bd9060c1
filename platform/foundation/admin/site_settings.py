"""The page on which operators change the settings of the site."""

from dataclasses import asdict
from typing import Any, Final

from constance.admin import Config
from constance.models import Constance
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from foundation import site_settings
from foundation.admin.base import ReadOnlyAdmin
from foundation.audit import Actor
from foundation.site_settings import SiteSettings
from market.errors import PlatformError

#: May be given to staff that are no superusers; the library makes this permission.
PERMISSION: Final = "constance.change_config"


def _help(name: str) -> str:
    return str(settings.CONSTANCE_CONFIG[name.upper()][1])


class SiteSettingsForm(forms.Form):
    """The settings; what is wrong with them is the service's to say."""

    site_name = forms.CharField(help_text=_help("site_name"), widget=UnfoldAdminTextInputWidget())
    support_email = forms.CharField(
        label="Support address",
        required=False,
        help_text=_help("support_email"),
        widget=UnfoldAdminEmailInputWidget(),
    )
    mail_from_name = forms.CharField(
        label="Sender of mails",
        help_text=_help("mail_from_name"),
        widget=UnfoldAdminTextInputWidget(),
    )
    sign_up_open = forms.BooleanField(
        label="Sign-up is open",
        required=False,
        help_text=_help("sign_up_open"),
        widget=UnfoldBooleanSwitchWidget(),
    )
    maximum_people = forms.IntegerField(
        label="Most people",
        help_text=_help("maximum_people"),
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    announcement = forms.CharField(
        required=False, help_text=_help("announcement"), widget=UnfoldAdminTextInputWidget()
    )
    announcement_is_warning = forms.BooleanField(
        label="As a warning",
        required=False,
        help_text=_help("announcement_is_warning"),
        widget=UnfoldBooleanSwitchWidget(),
    )
    referral_rate = forms.DecimalField(
        label="Referrals: rate",
        help_text=_help("referral_rate"),
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    referral_payments = forms.ChoiceField(
        label="Referrals: payments that earn",
        choices=list(site_settings.REFERRAL_PAYMENTS.items()),
        help_text=_help("referral_payments"),
        widget=UnfoldAdminSelectWidget(),
    )
    referral_window_days = forms.IntegerField(
        label="Referrals: days from link to sign-up",
        help_text=_help("referral_window_days"),
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    referral_hold_days = forms.IntegerField(
        label="Referrals: days until payable",
        help_text=_help("referral_hold_days"),
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    referral_minimum_payout = forms.DecimalField(
        label="Referrals: smallest payout",
        help_text=_help("referral_minimum_payout"),
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    seen_stamp = forms.CharField(widget=forms.HiddenInput(), strip=False)

    def save(self, *, by: Actor) -> tuple[str, ...]:
        """Save through the service; put what it refuses beside the fields and raise it again."""
        values = dict(self.cleaned_data)
        seen = values.pop("seen_stamp")
        try:
            return site_settings.change_settings(SiteSettings(**values), seen_stamp=seen, by=by)
        except PlatformError as error:
            if not error.problems:
                self.add_error(None, error.message)
            for problem in error.problems:
                self.add_error(problem.field, problem.message)
            raise


# The library's own page writes without an audit row and lets any text pass.
admin.site.unregister([Config])


@admin.register(Constance)
class SiteSettingsAdmin(ReadOnlyAdmin):
    """One form in the place of a list."""

    list_display = ("key", "value")
    search_fields = ("key",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Only for those who may change them."""
        return bool(request.user.has_perm(PERMISSION))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only for those who may change them."""
        return bool(request.user.has_perm(PERMISSION))

    def get_urls(self) -> list[URLPattern]:
        """Leave the form as the only page."""
        form = self.admin_site.admin_view(self.changelist_view)
        return [path("", form, name="constance_constance_changelist")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form, or save it."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        if request.method == "POST":
            form = SiteSettingsForm(request.POST)
            if form.is_valid() and self._save(request, form):
                return HttpResponseRedirect(reverse("admin:constance_constance_changelist"))
        else:
            now = site_settings.current()
            form = SiteSettingsForm(initial={**asdict(now), "seen_stamp": now.stamp})
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": "Site settings",
            "form": form,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/site_settings.html", context)

    def _save(self, request: HttpRequest, form: SiteSettingsForm) -> bool:
        try:
            changed = form.save(by=Actor.person(request.user.pk or 0))
        except PlatformError:
            return False
        if changed:
            messages.success(request, f"Saved: {', '.join(changed)}.".replace("_", " "))
        else:
            messages.info(request, "Nothing was changed.")
        return True
