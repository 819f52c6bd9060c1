"""Addresses of the JSON API of strategies, below /api/v1/."""

from django.urls import path

from strategies.api import views

app_name = "strategies-api"
urlpatterns = [
    path("strategies", views.Strategies.as_view(), name="strategies"),
    path("strategies/<slug:slug>", views.OneStrategy.as_view(), name="strategy"),
]
