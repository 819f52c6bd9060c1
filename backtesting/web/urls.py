"""Addresses of the pages of backtesting."""

from django.urls import path

from backtesting.web import awaited_views, views

app_name = "backtesting"
urlpatterns = [
    path("", views.backtests, name="list"),
    path("new/", views.new, name="new"),
    path("compare/", views.compare, name="compare"),
    path("awaited/<uuid:public_id>/", awaited_views.detail, name="awaited"),
    path("awaited/<uuid:public_id>/cancel/", awaited_views.cancel, name="awaited-cancel"),
    path("<uuid:public_id>/", views.detail, name="detail"),
    path("<uuid:public_id>/cancel/", views.cancel, name="cancel"),
    path("<uuid:public_id>/annotate/", views.annotate, name="annotate"),
    path("<uuid:public_id>/delete/", views.delete, name="delete"),
    path("<uuid:public_id>/equity.json", views.equity, name="equity"),
    path("<uuid:public_id>/drawdown.json", views.drawdown, name="drawdown"),
    path("<uuid:public_id>/exposure.json", views.exposure, name="exposure"),
    path("<uuid:public_id>/candles.json", views.candles, name="candles"),
    path("<uuid:public_id>/trades.csv", views.trades_csv, name="trades-csv"),
    path("<uuid:public_id>/equity.csv", views.equity_csv, name="equity-csv"),
    path("<uuid:public_id>/run.json", views.document, name="document"),
    path("<uuid:public_id>/report.html", views.report, name="report"),
]
