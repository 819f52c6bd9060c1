"""The pages of exchange accounts that are looked at in a browser."""

from django.urls import reverse

from accounts.models import User
from tests.exchanges.owned_objects import make_connected_account
from tests.factories.exchanges import make_venue
from tests.web.pages import PageCase


def _list(person: User) -> str:
    make_connected_account(person)
    return reverse("exchanges:list")


def _empty_list(person: User) -> str:
    return reverse("exchanges:list")


def _choose(person: User) -> str:
    make_venue("binance", takes_live_accounts=True, real_money=True)
    make_venue("simulator", takes_live_accounts=True)
    return reverse("exchanges:choose")


def _connect(person: User) -> str:
    venue = make_venue("binance", takes_live_accounts=True, real_money=True)
    return reverse("exchanges:connect", args=[venue.code])


def _detail(person: User) -> str:
    return reverse("exchanges:detail", args=[make_connected_account(person).public_id])


def _key(person: User) -> str:
    return reverse("exchanges:replace-key", args=[make_connected_account(person).public_id])


PAGES = [
    PageCase("accounts", _list),
    PageCase("accounts-empty", _empty_list),
    PageCase("account-choose", _choose),
    PageCase("account-connect", _connect),
    PageCase("account", _detail),
    PageCase("account-key", _key),
]
