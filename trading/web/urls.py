"""Addresses of the pages of trading."""

from django.urls import path

from trading.web import change_views, drift_views, list_views, protection_views, views

app_name = "trading"
urlpatterns = [
    path("", list_views.deployments, name="list"),
    path("positions/", list_views.positions, name="positions"),
    path("orders/", list_views.orders, name="orders"),
    path("orders/external/", list_views.external_orders, name="external-orders"),
    path("new/", views.new, name="new"),
    path("protections/", protection_views.protections, name="protections"),
    path("protections/state/", protection_views.set_state, name="set-state"),
    path("protections/limits/", protection_views.change_limits, name="limits"),
    path("protections/flatten/", protection_views.flatten, name="flatten"),
    path("protections/<uuid:public_id>/release/", protection_views.release, name="release"),
    path("<uuid:public_id>/", views.detail, name="detail"),
    path("<uuid:public_id>/change/", change_views.change, name="change"),
    path("<uuid:public_id>/decisions/", list_views.decisions, name="decisions"),
    path("<uuid:public_id>/drift/", drift_views.drift, name="drift"),
    path("<uuid:public_id>/drift.json", drift_views.drift_lines, name="drift-lines"),
    path("<uuid:public_id>/drift.csv", drift_views.drift_csv, name="drift-csv"),
    path("<uuid:public_id>/live/", views.live_parts, name="live"),
    path("<uuid:public_id>/chart.json", views.chart, name="chart"),
    path("<uuid:public_id>/command/", views.command, name="command"),
]
