"""Addresses of the pages of market data."""

from django.urls import URLPattern, URLResolver, path

from exchanges.web import held_views, universe_views

app_name = "market-data"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", held_views.market_data, name="held"),
    path("universe/", universe_views.choose, name="universe"),
]
