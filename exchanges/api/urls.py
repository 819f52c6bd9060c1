"""Addresses of the JSON API of exchanges, below /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from exchanges.api import equity, markets, universe, views

app_name = "exchanges-api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("exchange-accounts", views.Accounts.as_view(), name="accounts"),
    path("exchange-accounts/paper", views.Paper.as_view(), name="paper"),
    path("exchange-accounts/<uuid:public_id>", views.Account.as_view(), name="account"),
    path("exchange-accounts/<uuid:public_id>/test", views.Test.as_view(), name="test"),
    path("exchange-accounts/<uuid:public_id>/key", views.Key.as_view(), name="key"),
    path(
        "exchange-accounts/<uuid:public_id>/declaration",
        views.Declaration.as_view(),
        name="declaration",
    ),
    path(
        "exchange-accounts/<uuid:public_id>/equity",
        equity.AccountEquity.as_view(),
        name="account-equity",
    ),
    path(
        "exchange-accounts/<uuid:public_id>/equity/history",
        equity.AccountEquityHistory.as_view(),
        name="account-equity-history",
    ),
    path("equity", equity.Equity.as_view(), name="equity"),
    path("equity/history", equity.EquityHistory.as_view(), name="equity-history"),
    path("venues", markets.Venues.as_view(), name="venues"),
    path("candle-series", markets.CandleSeries.as_view(), name="candle-series"),
    path("markets", markets.Markets.as_view(), name="markets"),
    path("universe", universe.Universe.as_view(), name="universe"),
]
