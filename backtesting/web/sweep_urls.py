"""Addresses of the pages of sweeps."""

from django.urls import path

from backtesting.web import sweep_views as views

app_name = "sweeps"
urlpatterns = [
    path("", views.sweeps, name="list"),
    path("new/", views.new, name="new"),
    path("<uuid:public_id>/", views.detail, name="detail"),
    path("<uuid:public_id>/cancel/", views.cancel, name="cancel"),
    path("<uuid:public_id>/delete/", views.delete, name="delete"),
    path("<uuid:public_id>/run/", views.run, name="run"),
    path("<uuid:public_id>/trials.csv", views.trials_csv, name="trials-csv"),
    path("<uuid:public_id>/trials.json", views.trials_json, name="trials-json"),
]
