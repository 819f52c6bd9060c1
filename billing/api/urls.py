"""Addresses of the JSON API of billing, below /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from billing.api import selling, views

app_name = "billing-api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("subscriptions", views.Subscriptions.as_view(), name="subscriptions"),
    path("subscriptions/<uuid:public_id>", views.OneSubscription.as_view(), name="subscription"),
    path("subscriptions/<uuid:public_id>/cancel", views.Cancel.as_view(), name="cancel"),
    path("plans", views.Plans.as_view(), name="plans"),
    path("checkouts", selling.Checkouts.as_view(), name="checkouts"),
    path("payments", selling.Payments.as_view(), name="payments"),
    path("payments/<uuid:public_id>", selling.OnePayment.as_view(), name="payment"),
    path("usage", views.Usage.as_view(), name="usage"),
]
