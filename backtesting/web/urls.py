"""Addresses of the pages of backtesting."""

from django.urls import URLPattern, URLResolver

app_name = "backtesting"
urlpatterns: list[URLPattern | URLResolver] = []
