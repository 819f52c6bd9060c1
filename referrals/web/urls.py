"""Addresses of the pages of the referrals."""

from django.urls import URLPattern, URLResolver, path

from referrals.web import views

app_name = "referrals"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.overview, name="overview"),
    path("payouts/", views.request_payout, name="request-payout"),
]
