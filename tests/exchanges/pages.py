"""The pages of exchange accounts that are looked at in a browser."""

from datetime import UTC, datetime, timedelta

from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from exchanges.models import (
    AccountStatus,
    Balance,
    ConversionRate,
    EquitySnapshot,
    ExchangeAccount,
    FetchStatus,
    HistoryFetch,
)
from market.timeframes import DAY_MS, Timeframe, to_milliseconds
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


def _universe(person: User) -> str:
    venue = make_venue()
    for symbol, price in (("BTC/USDT", 40_000.0), ("ETH/USDT", 2_200.0), ("USDC/USDT", 1.0)):
        first_ms = Timeframe.D1.open_of(to_milliseconds(timezone.now())) - 40 * DAY_MS
        closes = [price + n % 7 for n in range(40)]
        candles = make_candles(closes, timeframe=Timeframe.D1, first_open_ms=first_ms)
        store_candles(make_instrument(symbol, venue=venue), Timeframe.D1, candles)
    return reverse("market-data:universe") + "?venue=binance&min_price=0.5"


def _no_universe(person: User) -> str:
    return _universe(person).replace("0.5", "1000000")


def _choose(person: User) -> str:
    make_venue("binance", takes_live_accounts=True, real_money=True)
    make_venue("simulator", takes_live_accounts=True)
    make_venue("mexc", name="MEXC", ccxt_id="mexc", real_money=True)
    return reverse("exchanges:choose")


def _connect(person: User) -> str:
    venue = make_venue("binance", takes_live_accounts=True, real_money=True)
    return reverse("exchanges:connect", args=[venue.code])


def _rich_account(person: User) -> ExchangeAccount:
    """Return an account with balances, one of them without a price, and ten days behind it."""
    account = make_connected_account(person)
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    for currency, free in (("USDT", "8231.55"), ("BTC", "0.31"), ("RARECOIN", "120000")):
        Balance.objects.create(
            owner=person, account=account, currency=currency, free=free, used=0, venue_at=now
        )
    ConversionRate.objects.create(
        venue=account.venue, base="BTC", quote="USDT", hour_at=now, rate=61_250, venue_at=now
    )
    EquitySnapshot.objects.bulk_create(
        EquitySnapshot(
            owner=person,
            account=account,
            hour_at=(now - timedelta(days=days)).replace(hour=23) if days else now,
            equity=27_000 - 150 * days + 400 * (days % 3),
            is_complete=False,
        )
        for days in range(10)
    )
    return account


def _list_with_equity(person: User) -> str:
    _rich_account(person)
    return reverse("exchanges:list")


def _detail_with_equity(person: User) -> str:
    return reverse("exchanges:detail", args=[_rich_account(person).public_id])


def _dashboard(person: User) -> str:
    _rich_account(person)
    return reverse("web:dashboard")


def _unverified(person: User) -> str:
    account = make_connected_account(person)
    account.status = AccountStatus.UNVERIFIED_PERMISSIONS
    account.save()
    return reverse("exchanges:detail", args=[account.public_id])


def _undeclared(person: User) -> str:
    account = make_connected_account(person)
    account.status, account.connected_at = AccountStatus.PENDING, None
    account.status_code = "declaration_needed"
    account.status_message = (
        "The exchange does not tell what this key may do; make sure it cannot withdraw."
    )
    account.save()
    return reverse("exchanges:detail", args=[account.public_id])


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
    PageCase("universe", _universe),
    PageCase("universe-nothing-fits", _no_universe),
    PageCase("accounts", _list),
    PageCase("accounts-empty", _empty_list),
    PageCase("account-choose", _choose),
    PageCase("account-connect", _connect),
    PageCase("account", _detail),
    PageCase("accounts-equity", _list_with_equity),
    PageCase("account-equity", _detail_with_equity),
    PageCase("account-undeclared", _undeclared),
    PageCase("account-unverified", _unverified),
    PageCase("dashboard-equity", _dashboard),
    PageCase("account-key", _key),
]
