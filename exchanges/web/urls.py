"""Addresses of the pages of exchanges."""

from django.urls import URLPattern, URLResolver, path

from exchanges.web import views

app_name = "exchanges"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.account_list, name="list"),
    path("equity.json", views.equity_chart, name="equity-chart"),
    path("connect/", views.choose, name="choose"),
    path("connect/<slug:venue_code>/", views.connect, name="connect"),
    path("paper/", views.paper, name="paper"),
    path("<uuid:public_id>/", views.detail, name="detail"),
    path("<uuid:public_id>/equity.json", views.account_equity_chart, name="account-equity-chart"),
    path("<uuid:public_id>/test/", views.test, name="test"),
    path("<uuid:public_id>/key/", views.replace_key, name="replace-key"),
    path("<uuid:public_id>/declaration/", views.declare, name="declare"),
    path("<uuid:public_id>/close/", views.close, name="close"),
]
