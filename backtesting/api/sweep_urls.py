"""Addresses of the JSON API of sweeps, below /api/v1/."""

from django.urls import path

from backtesting.api import sweep_views as views

app_name = "sweeps-api"
urlpatterns = [
    path("sweeps", views.Sweeps.as_view(), name="sweeps"),
    path("sweeps/<uuid:public_id>", views.OneSweep.as_view(), name="sweep"),
    path("sweeps/<uuid:public_id>/cancel", views.Cancel.as_view(), name="cancel"),
    path("sweeps/<uuid:public_id>/trials", views.Trials.as_view(), name="trials"),
    path("sweeps/<uuid:public_id>/trials.csv", views.TrialsCsv.as_view(), name="trials-csv"),
    path("sweeps/<uuid:public_id>/run", views.RunTrial.as_view(), name="run"),
]
