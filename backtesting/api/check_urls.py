"""Addresses of the JSON API of checks, below /api/v1/."""

from django.urls import path

from backtesting.api import check_views as views

app_name = "checks-api"
urlpatterns = [
    path("strategies/<slug:slug>/check", views.PublishedCheck.as_view(), name="published"),
    path("strategy-checks", views.Checks.as_view(), name="checks"),
    path("strategy-checks/<uuid:public_id>", views.OneCheck.as_view(), name="check"),
    path("strategy-checks/<uuid:public_id>/cancel", views.Cancel.as_view(), name="cancel"),
]
