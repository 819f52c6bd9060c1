"""Addresses of the JSON API of the referrals, below /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from referrals.api import views

app_name = "referrals-api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("referrals/me", views.Me.as_view(), name="me"),
    path("referrals/commissions", views.Commissions.as_view(), name="commissions"),
    path("referrals/payouts", views.Payouts.as_view(), name="payouts"),
]
