"""Addresses of the JSON API of trading, below /api/v1/."""

from django.urls import URLPattern, URLResolver

app_name = "trading-api"
urlpatterns: list[URLPattern | URLResolver] = []
