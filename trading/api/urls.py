"""Addresses of the JSON API of trading, below /api/v1/."""

from django.urls import path

from trading.api import drift_views, external, protections, views

app_name = "trading-api"
urlpatterns = [
    path("trading-states", protections.TradingStates.as_view(), name="trading-states"),
    path("protections", protections.Protections.as_view(), name="protections"),
    path("flatten-all", protections.FlattenAll.as_view(), name="flatten-all"),
    path("external-orders", external.ExternalOrders.as_view(), name="external-orders"),
    path("deployments", views.Deployments.as_view(), name="deployments"),
    path("deployments/<uuid:public_id>", views.OneDeployment.as_view(), name="deployment"),
    path("deployments/<uuid:public_id>/orders", views.Orders.as_view(), name="orders"),
    path("deployments/<uuid:public_id>/fills", views.Fills.as_view(), name="fills"),
    path("deployments/<uuid:public_id>/decisions", views.Decisions.as_view(), name="decisions"),
    path("deployments/<uuid:public_id>/commands", views.Commands.as_view(), name="commands"),
    path("deployments/<uuid:public_id>/drift", drift_views.Drift.as_view(), name="drift"),
    path(
        "deployments/<uuid:public_id>/drift/trades",
        drift_views.DriftTrades.as_view(),
        name="drift-trades",
    ),
]
