"""The pages of exchange accounts that are looked at in a browser."""

from datetime import UTC, datetime

from django.urls import reverse

from accounts.models import User
from exchanges.models import FetchStatus, HistoryFetch
from market.timeframes import Timeframe
from tests.exchanges.owned_objects import make_connected_account
from tests.factories.exchanges import (
    make_candles,
    make_instrument,
    make_venue,
    store_candles,
)
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


def _market_data(person: User) -> str:
    instrument = make_instrument()
    candles = make_candles([100.0 + n for n in range(60)])
    store_candles(instrument, Timeframe.H1, candles.slice(0, 20))
    store_candles(instrument, Timeframe.H1, candles.slice(30, 60))
    for n in range(60):
        other = make_instrument(f"C{n}/USDT", venue=instrument.venue)
        store_candles(other, Timeframe.D1, candles.slice(0, 2))
    HistoryFetch.objects.create(
        requested_by=person,
        instrument=instrument,
        timeframe="1m",
        from_at=datetime(2024, 1, 1, tzinfo=UTC),
        to_at=datetime(2024, 2, 1, tzinfo=UTC),
        reached_at=datetime(2024, 1, 20, tzinfo=UTC),
        added=27_000,
        status=FetchStatus.RUNNING,
        requested_at=datetime(2024, 2, 1, tzinfo=UTC),
    )
    return reverse("market-data:held")


PAGES = [
    PageCase("market-data", _market_data),
    PageCase("market-data-empty", lambda _: reverse("market-data:held")),
    PageCase("accounts", _list),
    PageCase("accounts-empty", _empty_list),
    PageCase("account-choose", _choose),
    PageCase("account-connect", _connect),
    PageCase("account", _detail),
    PageCase("account-key", _key),
]
