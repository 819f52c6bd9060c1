"""All addresses."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("web.urls")),
    path("accounts/", include("allauth.urls")),
    path("notifications/", include("accounts.web.notification_urls")),
    path("strategies/", include("strategies.web.urls")),
    path("exchange-accounts/", include("exchanges.web.urls")),
    path("backtests/", include("backtesting.web.urls")),
    path("deployments/", include("trading.web.urls")),
    path("api/v1/", include("strategies.api.urls")),
    path("api/v1/", include("exchanges.api.urls")),
    path("api/v1/", include("backtesting.api.urls")),
    path("api/v1/", include("trading.api.urls")),
    path("admin/", admin.site.urls),
]

if settings.SHOWS_MAILS:
    urlpatterns.append(path("dev/mail/", include("accounts.web.kept_mail_urls")))

handler400 = "web.views.errors.bad_request"
handler403 = "web.views.errors.permission_denied"
handler404 = "web.views.errors.not_found"
handler500 = "web.views.errors.server_error"
