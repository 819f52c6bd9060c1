"""Addresses of the JSON API of strategies, below /api/v1/."""

from django.urls import URLPattern, URLResolver

app_name = "strategies-api"
urlpatterns: list[URLPattern | URLResolver] = []
