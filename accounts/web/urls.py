"""Addresses of a person's own pages."""

from django.urls import path

from accounts.web import entrance, tokens, views

app_name = "accounts"
urlpatterns = [
    path("", views.profile, name="profile"),
    path("theme/", views.theme, name="theme"),
    path("security/", views.security, name="security"),
    path("sessions/", views.session_list, name="sessions"),
    path("sessions/end/", views.end_session, name="end-session"),
    path("sessions/end-others/", views.end_other_sessions, name="end-other-sessions"),
    path("tokens/", tokens.token_list, name="tokens"),
    path("tokens/new/", tokens.create, name="create-token"),
    path("tokens/<uuid:public_id>/revoke/", tokens.revoke, name="revoke-token"),
    path("delete/", views.delete, name="delete"),
    path("verification/", entrance.send_link, name="send-link"),
]
