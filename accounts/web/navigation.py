"""The tabs that all pages of an account share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from django.http import HttpRequest
from django.urls import reverse

#: Label, address, and what its pages' addresses begin with, beside that of the tab itself.
_TABS: Final = (
    ("Profile", "accounts:profile", ()),
    (
        "Security",
        "accounts:security",
        ("/accounts/password/", "/accounts/email/", "/accounts/2fa/", "/accounts/reauth", "/account/delete/"),
    ),
    ("Devices", "accounts:sessions", ()),
    ("API tokens", "accounts:tokens", ("/account/tokens/",)),
    ("Notifications", "notifications:list", ()),
    ("Usage", "billing:usage", ()),
    ("Payments", "billing:payments", ("/billing/payments/",)),
    ("Referrals", "referrals:overview", ("/referrals/",)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the tabs."""

    label: str
    url: str
    is_current: bool


def account_context(request: HttpRequest) -> dict[str, Callable[[], list[Tab]]]:
    """Let the pages of an account ask for their tabs (a context processor)."""
    return {"account_navigation": partial(_tabs, request.path)}


def _tabs(path: str) -> list[Tab]:
    tabs = []
    for label, name, beginnings in _TABS:
        url = reverse(name)
        tabs.append(Tab(label, url, is_current=path == url or path.startswith(beginnings)))
    return tabs
