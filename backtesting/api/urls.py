"""Addresses of the JSON API of backtesting, below /api/v1/."""

from django.urls import path

from backtesting.api import awaited_views, views

app_name = "backtesting-api"
urlpatterns = [
    path("backtests", views.Runs.as_view(), name="runs"),
    path("backtests/compare", views.Compare.as_view(), name="compare"),
    path(
        "backtests/awaited/<uuid:public_id>",
        awaited_views.Awaited.as_view(),
        name="awaited",
    ),
    path("backtests/<uuid:public_id>", views.Run.as_view(), name="run"),
    path("backtests/<uuid:public_id>/cancel", views.Cancel.as_view(), name="cancel"),
    path("backtests/<uuid:public_id>/trades", views.Trades.as_view(), name="trades"),
    path("backtests/<uuid:public_id>/trades.csv", views.TradesCsv.as_view(), name="trades-csv"),
    path("backtests/<uuid:public_id>/equity.csv", views.EquityCsv.as_view(), name="equity-csv"),
    path("backtests/<uuid:public_id>/document", views.Document.as_view(), name="document"),
    path("backtests/<uuid:public_id>/report", views.Report.as_view(), name="report"),
    path("backtests/<uuid:public_id>/series", views.Series.as_view(), name="series"),
    path("backtests/<uuid:public_id>/candles", views.CandleChart.as_view(), name="candles"),
]
