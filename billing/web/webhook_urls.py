"""Addresses at which payment providers deliver notices."""

from django.urls import URLPattern, URLResolver, path

from billing.web import webhooks

app_name = "webhooks"
urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:provider>/", webhooks.receive, name="receive"),
]
