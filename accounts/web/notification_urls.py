"""Addresses of notifications."""

from django.urls import URLPattern, URLResolver, path

from accounts.web import notifications

app_name = "notifications"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", notifications.notification_list, name="list"),
    path("bell/", notifications.bell, name="bell"),
    path("read/", notifications.mark_all_read, name="mark-all-read"),
    path("<uuid:public_id>/", notifications.follow, name="follow"),
    path("<uuid:public_id>/read/", notifications.mark_read, name="mark-read"),
]
