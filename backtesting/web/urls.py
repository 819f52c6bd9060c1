"""Addresses of the pages of backtesting."""

from django.urls import path

from backtesting.web import views

app_name = "backtesting"
urlpatterns = [
    path("", views.backtests, name="list"),
    path("new/", views.new, name="new"),
    path("<uuid:public_id>/", views.detail, name="detail"),
    path("<uuid:public_id>/cancel/", views.cancel, name="cancel"),
    path("<uuid:public_id>/equity.json", views.equity, name="equity"),
    path("<uuid:public_id>/drawdown.json", views.drawdown, name="drawdown"),
    path("<uuid:public_id>/candles.json", views.candles, name="candles"),
    path("<uuid:public_id>/trades.csv", views.trades_csv, name="trades-csv"),
]
