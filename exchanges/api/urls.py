"""Addresses of the JSON API of exchanges, below /api/v1/."""

from django.urls import URLPattern, URLResolver

app_name = "exchanges-api"
urlpatterns: list[URLPattern | URLResolver] = []
