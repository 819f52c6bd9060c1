"""Addresses of the pages of checks."""

from django.urls import path

from backtesting.web import check_views as views

app_name = "checks"
urlpatterns = [
    path("<slug:slug>/", views.strategy, name="strategy"),
    path("results/<uuid:public_id>/", views.detail, name="detail"),
    path("results/<uuid:public_id>/cancel/", views.cancel, name="cancel"),
]
