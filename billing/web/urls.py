"""Addresses of the pages of billing."""

from django.urls import URLPattern, URLResolver, path

from billing.web import views

app_name = "billing"
urlpatterns: list[URLPattern | URLResolver] = [
    path("usage/", views.usage, name="usage"),
    path("subscribe/", views.subscribe, name="subscribe"),
    path("subscriptions/<uuid:public_id>/cancel/", views.cancel, name="cancel"),
]
