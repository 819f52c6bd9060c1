"""Addresses of the mails that no server took; routed on a developer's machine only."""

from django.urls import URLPattern, URLResolver, path

from accounts.web import kept_mails

app_name = "kept-mails"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", kept_mails.mail_list, name="list"),
    path("<slug:name>/", kept_mails.mail, name="mail"),
    path("<slug:name>/html/", kept_mails.mail_as_html, name="html"),
]
