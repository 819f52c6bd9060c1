"""Addresses of the pages of strategies."""

from django.urls import path

from strategies.web import views

app_name = "strategies"
urlpatterns = [
    path("", views.strategies, name="list"),
    path("<slug:slug>/", views.strategy, name="detail"),
]
