"""What every template may use."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject, lazystr

from foundation import site_settings

THEME_COOKIE: Final = "theme"
THEMES: Final = frozenset({"system", "light", "dark"})
_DEFAULT_THEME: Final = "system"

#: Label, label where there is little room, address name and icon of each section, in the order of the menu.
_SECTIONS: Final = (
    ("Dashboard", "Dashboard", "web:dashboard", "layout-dashboard"),
    ("Strategies", "Strategies", "strategies:list", "lightbulb"),
    ("Backtests", "Backtests", "backtesting:list", "history"),
    ("Deployments", "Deployments", "trading:list", "rocket"),
    ("Exchange accounts", "Accounts", "exchanges:list", "wallet"),
)


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A section in the menu."""

    label: str
    short_label: str
    url: str
    icon: str
    is_current: bool


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the site's settings, the reader's theme and the menu.

    They are computed on use: an error page asks for none of them, so it needs no session and no database.
    """
    return {
        "site": SimpleLazyObject(lambda: site_settings.for_page(request)),
        "site_name": lazystr(SimpleLazyObject(lambda: site_settings.for_page(request).site_name)),
        "theme": lazystr(SimpleLazyObject(lambda: _theme_of(request))),
        "device_theme": _theme_of_device(request) or _DEFAULT_THEME,
        "navigation": SimpleLazyObject(lambda: navigation(request)),
    }


def navigation(request: HttpRequest) -> list[NavigationEntry]:
    """Return the sections of the platform; the one that *request* is in is the current one."""
    entries = []
    for label, short_label, name, icon in _SECTIONS:
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        is_current = request.path.startswith(url)
        entries.append(NavigationEntry(label, short_label, url, icon, is_current))
    return entries


def _theme_of(request: HttpRequest) -> str:
    """Return what was chosen on this device, else what the person's profile says."""
    chosen = _theme_of_device(request)
    if chosen:
        return chosen
    profile = str(getattr(request.user, "theme", "")).lower()
    return profile if profile in THEMES else _DEFAULT_THEME


def _theme_of_device(request: HttpRequest) -> str | None:
    chosen = request.COOKIES.get(THEME_COOKIE)
    return chosen if chosen in THEMES else None
