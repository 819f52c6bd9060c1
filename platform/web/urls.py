"""Addresses of the pages that span apps."""

from django.urls import path

from web.views import health, home, metrics

app_name = "web"
urlpatterns = [
    path("", home.home, name="home"),
    path("dashboard/", home.dashboard, name="dashboard"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.figures, name="metrics"),
]
