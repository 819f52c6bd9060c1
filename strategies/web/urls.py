"""Addresses of the pages of strategies."""

from django.urls import URLPattern, URLResolver

app_name = "strategies"
urlpatterns: list[URLPattern | URLResolver] = []
