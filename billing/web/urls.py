"""Addresses of the pages of billing."""

from django.urls import URLPattern, URLResolver, path

from billing.web import development, selling, views

app_name = "billing"
urlpatterns: list[URLPattern | URLResolver] = [
    path("usage/", views.usage, name="usage"),
    path("subscribe/", views.subscribe, name="subscribe"),
    path("subscriptions/<uuid:public_id>/cancel/", views.cancel, name="cancel"),
    path("plans/", selling.plans, name="plans"),
    path("checkout/", selling.checkout, name="checkout"),
    path("payments/", selling.history, name="payments"),
    path("payments/<uuid:public_id>/", selling.payment, name="payment"),
    path("payments/<uuid:public_id>/receipt/", selling.receipt, name="receipt"),
    path("development/<uuid:reference>/", development.charge, name="development"),
]
