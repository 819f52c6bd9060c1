"""All addresses."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path

from accounts.web.entrance import ConfirmEmailView
from referrals.web.links import follow
from web.views import api_docs

urlpatterns = [
    path("", include("web.urls")),
    path("account/", include("accounts.web.urls")),
    re_path(
        r"^accounts/confirm-email/(?P<key>[-:\w]+)/$",
        ConfirmEmailView.as_view(),
        name="account_confirm_email",
    ),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("notifications/", include("accounts.web.notification_urls")),
    path("strategies/", include("strategies.web.urls")),
    path("exchange-accounts/", include("exchanges.web.urls")),
    path("market-data/", include("exchanges.web.market_urls")),
    path("backtests/sweeps/", include("backtesting.web.sweep_urls")),
    path("backtests/", include("backtesting.web.urls")),
    path("checks/", include("backtesting.web.check_urls")),
    path("deployments/", include("trading.web.urls")),
    path("billing/", include("billing.web.urls")),
    path("webhooks/", include("billing.web.webhook_urls")),
    path("referrals/", include("referrals.web.urls")),
    path("r/<slug:code>/", follow, name="referral_link"),
    path("api/docs/", api_docs.page, name="api-docs"),
    path("api/v1/openapi.yaml", api_docs.openapi, name="api-schema"),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include("billing.api.urls")),
    path("api/v1/", include("strategies.api.urls")),
    path("api/v1/", include("exchanges.api.urls")),
    path("api/v1/", include("backtesting.api.urls")),
    path("api/v1/", include("backtesting.api.check_urls")),
    path("api/v1/", include("backtesting.api.sweep_urls")),
    path("api/v1/", include("trading.api.urls")),
    path("api/v1/", include("referrals.api.urls")),
    path("admin/", admin.site.urls),
]

if settings.SHOWS_MAILS:
    urlpatterns.append(path("dev/mail/", include("accounts.web.kept_mail_urls")))

handler400 = "web.views.errors.bad_request"
handler403 = "web.views.errors.permission_denied"
handler404 = "web.views.errors.not_found"
handler429 = "web.views.errors.too_many_requests"
handler500 = "web.views.errors.server_error"
