"""Addresses of the pages of trading."""

from django.urls import URLPattern, URLResolver

app_name = "trading"
urlpatterns: list[URLPattern | URLResolver] = []
