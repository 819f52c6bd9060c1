"""Addresses of the pages of trading."""

from django.urls import path

from trading.web import change_views, views

app_name = "trading"
urlpatterns = [
    path("", views.deployments, name="list"),
    path("new/", views.new, name="new"),
    path("<uuid:public_id>/", views.detail, name="detail"),
    path("<uuid:public_id>/change/", change_views.change, name="change"),
    path("<uuid:public_id>/live/", views.live_parts, name="live"),
    path("<uuid:public_id>/chart.json", views.chart, name="chart"),
    path("<uuid:public_id>/command/", views.command, name="command"),
]
