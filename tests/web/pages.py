"""The pages that are looked at in a browser, light and dark, on a phone and on a desk.

Any ``tests/<app>/pages.py`` with a list ``PAGES`` of :class:`PageCase` is found by itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from accounts.models import User


@dataclass(frozen=True, slots=True)
class PageCase:
    """A page to look at.

    *address* makes the rows that the page shows to that person, and returns where it is; a page that strangers see gets a
    person too and may ignore it. *name* is that of the picture.
    """

    name: str
    address: Callable[[User], str]
    signed_in: bool = True
    status: int = 200
    urls: str = "config.urls"


def at(path: str) -> Callable[[User], str]:
    """Return the address of a page that needs no rows."""
    return lambda person: path


PAGES = [
    PageCase("home", at("/"), signed_in=False),
    PageCase("sign-in", at("/accounts/login/"), signed_in=False),
    PageCase("sign-up", at("/accounts/signup/"), signed_in=False),
    PageCase("password-reset", at("/accounts/password/reset/"), signed_in=False),
    PageCase("password-reset-done", at("/accounts/password/reset/done/"), signed_in=False),
    PageCase("password-reset-key", at("/accounts/password/reset/key/1-bad/"), signed_in=False),
    PageCase("password-reset-key-done", at("/accounts/password/reset/key/done/"), signed_in=False),
    PageCase("account-inactive", at("/accounts/inactive/"), signed_in=False),
    PageCase("verification-sent", at("/accounts/confirm-email/"), signed_in=False),
    PageCase("email-confirm", at("/accounts/confirm-email/bad/"), signed_in=False),
    PageCase("password-change", at("/accounts/password/change/")),
    PageCase("emails", at("/accounts/email/")),
    PageCase("reauthenticate", at("/accounts/reauthenticate/")),
    PageCase("sign-out", at("/accounts/logout/")),
    PageCase("not-found", at("/nowhere/"), status=404),
    PageCase("showcase", at("/showcase/"), urls="tests.web.showcase"),
    PageCase("showcase-empty", at("/showcase/empty/"), urls="tests.web.showcase"),
]


def all_pages() -> Iterator[PageCase]:
    """Yield the pages of every app."""
    for path in sorted(Path(__file__).resolve().parents[1].glob("*/pages.py")):
        yield from import_module(f"tests.{path.parent.name}.pages").PAGES
