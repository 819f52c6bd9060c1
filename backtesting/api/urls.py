"""Addresses of the JSON API of backtesting, below /api/v1/."""

from django.urls import URLPattern, URLResolver

app_name = "backtesting-api"
urlpatterns: list[URLPattern | URLResolver] = []
