"""What accounts are worth, now and hour by hour, in the currency that their owner thinks in."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from exchanges.adapters import memory
from exchanges.adapters.factory import MEMORY
from exchanges.models import Balance, ConversionRate, EquitySnapshot, ExchangeAccount, Quote
from exchanges.selectors import accounts as accounts_read
from exchanges.selectors import equity as equity_read
from exchanges.selectors.equity import Money
from exchanges.services import balances, equity, rates
from market.errors import CredentialRejectedError, VenueUnavailableError
from tests.exchanges.owned_objects import make_connected_account
from tests.factories.accounts import make_person
from tests.factories.exchanges import make_instrument, make_venue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 34, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ada() -> User:
    """Thinks in euros."""
    person = make_person("ada@example.com")
    person.currency = "EUR"
    person.save()
    return person


@pytest.fixture
def binance():
    """A real venue that quotes bitcoin and the euro."""
    venue = make_venue("binance", real_money=True, takes_live_accounts=True)
    quote(venue, "BTC/USDT", 60_000)
    quote(venue, "EUR/USDT", "1.2")
    quote(venue, "ABC/USDT", 0)
    return venue


def quote(venue, symbol, last, *, at=NOW):
    instrument = make_instrument(symbol, venue=venue)
    Quote.objects.create(instrument=instrument, last=Decimal(last), venue_at=at, recorded_at=at)


def hold(owner, venue, label="Main", **held) -> ExchangeAccount:
    account = make_connected_account(owner, venue=venue, label=label)
    for currency, amount in held.items():
        Balance.objects.create(
            owner=owner, account=account, currency=currency, free=amount, used=1, venue_at=NOW
        )
    return account


def value(owner, *, now=NOW, **options):
    return equity_read.value_for(owner, now=now, **options)


class TestNow:
    def test_a_balance_is_worth_what_the_venue_quotes_in_the_persons_currency(self, ada, binance):
        account = hold(ada, binance, BTC=1, USDT=119)
        rates.record_rates(now=NOW)

        valued = value(ada)

        mine = valued.by_account[account.pk]
        assert valued.currency == "EUR"
        assert [(line.currency, line.worth) for line in mine.lines] == [
            ("BTC", pytest.approx(Decimal(100_000))), ("USDT", pytest.approx(Decimal(100)))
        ]  # fmt: skip
        assert mine.amount == pytest.approx(Decimal(100_100))
        assert mine.told_at == NOW

    def test_a_currency_without_a_price_is_named_and_not_counted(self, ada, binance):
        account = hold(ada, binance, ABC=5, USDT=119)
        rates.record_rates(now=NOW)

        mine = value(ada).by_account[account.pk]

        assert mine.unvalued == ["ABC"]
        assert mine.amount == pytest.approx(Decimal(100))

    def test_where_no_rate_to_the_persons_currency_is_known_amounts_stay_in_the_reference(
        self, ada, binance
    ):
        hold(ada, binance, USDT=119)
        Quote.objects.filter(instrument__symbol="EUR/USDT").delete()
        rates.record_rates(now=NOW)

        valued = value(ada)

        assert (valued.wanted, valued.currency) == ("EUR", "USDT")
        assert [(total.money, total.amount) for total in valued.totals] == [(Money.REAL, 120)]

    def test_real_and_play_money_are_never_added_and_a_simulation_prices_only_itself(
        self, ada, binance
    ):
        simulator = make_venue("simulator", takes_live_accounts=True)
        quote(simulator, "BTC/USDT", 1_000)
        hold(ada, binance, BTC=1)
        hold(ada, simulator, BTC=1)
        rates.record_rates(now=NOW)

        totals = {total.money: total.amount for total in value(ada, currency="USDT").totals}

        assert totals == {Money.REAL: 120_000, Money.PLAY: 2_000}

    def test_yesterdays_rates_value_nothing(self, ada, binance):
        hold(ada, binance, BTC=1)
        rates.record_rates(now=NOW)

        assert value(ada, now=NOW + timedelta(hours=23), currency="USDT").totals
        assert not value(ada, now=NOW + timedelta(hours=25), currency="USDT").totals

    def test_a_stale_quote_is_no_rate(self, ada, binance):
        assert rates.record_rates(now=NOW + HOUR) == 0

    def test_the_last_quote_of_an_hour_counts(self, ada, binance):
        rates.record_rates(now=NOW)
        later = NOW + timedelta(minutes=20)
        Quote.objects.update(last=70_000, venue_at=later, recorded_at=later)

        rates.record_rates(now=later)

        (kept,) = ConversionRate.objects.filter(base="BTC")
        assert (kept.rate, kept.venue_at) == (70_000, later)


class TestHistory:
    def test_every_hour_has_one_value_and_the_last_counts(self, ada, binance):
        account = hold(ada, binance, USDT=99)
        rates.record_rates(now=NOW)
        for free in (119, 239):
            Balance.objects.update(free=free)
            assert equity.take_snapshots(now=NOW) == 1
        equity.take_snapshots(now=NOW + HOUR)

        history = equity_read.history_for(ada, since=NOW - 2 * HOUR, now=NOW + HOUR)

        assert EquitySnapshot.objects.filter(account=account).count() == 2
        assert history.currency == "EUR"
        assert [point.hour_at.hour for point in history.points] == [12, 13]
        assert all(point.amount == pytest.approx(Decimal(200)) for point in history.points)

    def test_accounts_are_added_by_hour_and_strangers_and_closed_ones_stay_apart(
        self, ada, binance
    ):
        first, second = hold(ada, binance, USDT=99), hold(ada, binance, "Other", USDT=199)
        hold(make_person("bert@example.com"), binance, USDT=999)
        equity.take_snapshots(now=NOW)
        ExchangeAccount.objects.filter(pk=second.pk).update(closed_at=NOW, connected_at=None)
        equity.take_snapshots(now=NOW + HOUR)

        def amounts(**options):
            points = equity_read.history_for(
                ada, since=NOW - HOUR, now=NOW + HOUR, currency="USDT", **options
            ).points
            return [point.amount for point in points]

        assert amounts() == [300, 100]
        assert amounts(account=first) == [100, 100]

    def test_a_long_range_has_one_value_a_day_and_the_newest(self, ada, binance):
        hold(ada, binance, USDT=99)
        for hours in range(60):
            equity.take_snapshots(now=NOW + hours * HOUR)

        history = equity_read.history_for(
            ada, since=NOW - timedelta(days=30), now=NOW + 60 * HOUR, currency="USDT"
        )

        assert [point.hour_at.hour for point in history.points] == [23, 23, 23]

    def test_days_outlive_hours(self, ada, binance):
        hold(ada, binance, USDT=99)
        rates.record_rates(now=NOW)
        equity.take_snapshots(now=NOW)
        equity.take_snapshots(now=NOW.replace(hour=23))

        assert equity.prune_snapshots(now=NOW + timedelta(days=34)) == 0
        assert equity.prune_snapshots(now=NOW + timedelta(days=40)) == 1
        assert rates.prune_rates(now=NOW + timedelta(days=40)) == 2
        assert equity.prune_snapshots(now=NOW + timedelta(days=2_000)) == 1


class TestRefreshing:
    @pytest.fixture
    def exchange(self):
        exchange = memory.InMemoryVenue()
        memory.use_venue("memory", exchange)
        yield exchange
        memory.forget_venues()

    @pytest.fixture
    def account(self, ada, exchange):
        venue = make_venue("memory", ccxt_id=MEMORY, takes_live_accounts=True)
        account = make_connected_account(ada, venue=venue)
        ExchangeAccount.objects.filter(pk=account.pk).update(next_balances_at=NOW)
        return account

    def refresh(self, account):
        balances.refresh_balances(account_id=account.pk, clock=lambda: NOW)
        return accounts_read.get_account_for(account.owner, public_id=account.public_id)

    def test_it_comes_once_an_hour(self, account, django_capture_on_commit_callbacks):
        assert balances.claim_due_refreshes(now=NOW - HOUR) == 0
        with django_capture_on_commit_callbacks() as sent:
            assert balances.claim_due_refreshes(now=NOW) == 1
        assert len(sent) == 1
        assert balances.claim_due_refreshes(now=NOW) == 0

        refreshed = self.refresh(account)

        assert [balance.currency for balance in refreshed.balances.all()] == ["USDT"]
        assert balances.claim_due_refreshes(now=NOW + HOUR) == 1

    def test_a_venue_that_is_away_leaves_what_was_known(self, account, exchange):
        self.refresh(account)
        exchange.next_question(raises=VenueUnavailableError())

        assert self.refresh(account).balances.count() == 1

    def test_refusals_count_like_any_other(self, account, exchange):
        for _ in range(3):
            exchange.next_question(raises=CredentialRejectedError())
            refused = self.refresh(account)

        assert refused.status == "INVALID"


class TestPagesAndApi:
    @pytest.fixture
    def now(self):
        return timezone.now()

    @pytest.fixture
    def rich(self, ada, now):
        venue = make_venue("binance", real_money=True, takes_live_accounts=True)
        quote(venue, "EUR/USDT", "1.2", at=now)
        account = hold(ada, venue, USDT=119, XYZ=1)
        rates.record_rates(now=now)
        equity.take_snapshots(now=now)
        return account

    def test_pages_show_worth_total_and_what_is_not_counted(self, client, ada, rich):
        client.force_login(ada)

        listing = client.get(reverse("exchanges:list")).content.decode()
        page = client.get(reverse("exchanges:detail", args=[rich.public_id])).content.decode()
        dashboard = client.get(reverse("web:dashboard")).content.decode()

        for shown in (listing, page):
            assert "100.00" in shown
            assert "EUR" in shown
            assert "Not counted, for no price is known: XYZ" in shown
        assert reverse("exchanges:equity-chart") in dashboard

    def test_charts_draw_the_recorded_hours(self, client, ada, rich):
        client.force_login(ada)

        whole = client.get(reverse("exchanges:equity-chart")).json()
        one = client.get(reverse("exchanges:account-equity-chart", args=[rich.public_id])).json()

        assert whole == one
        (line,) = whole["series"]
        assert line["name"] == "Equity, EUR"
        assert [float(point["value"]) for point in line["points"]] == [pytest.approx(100)]

    def test_the_api_tells_the_same(self, ada, rich):
        api = APIClient()
        api.force_login(ada)

        total = api.get("/api/v1/equity").json()
        in_reference = api.get("/api/v1/equity?currency=USDT").json()["totals"]
        one = api.get(f"/api/v1/exchange-accounts/{rich.public_id}/equity").json()
        history = api.get("/api/v1/equity/history?range=7d").json()
        of_one = api.get(
            f"/api/v1/exchange-accounts/{rich.public_id}/equity/history?currency=USDT"
        ).json()

        assert (total["currency"], total["totals"][0]["unvalued"]) == ("EUR", ["XYZ"])
        assert Decimal(in_reference[0]["amount"]) == 120
        assert Decimal(one["amount"]) == pytest.approx(Decimal(100))
        assert [point["money"] for point in history["points"]] == ["REAL"]
        assert Decimal(of_one["points"][0]["amount"]) == 120
        assert api.get("/api/v1/equity?currency=XXX").status_code == 400
        assert api.get("/api/v1/equity/history?range=9y").status_code == 400

    @pytest.mark.parametrize("many", [1, 500])
    def test_one_account_and_many_cost_the_same_queries(
        self, client, ada, rich, many, django_assert_max_num_queries
    ):
        fresh = [
            ExchangeAccount(
                owner=ada, venue=rich.venue, kind="LIVE", label=f"No {n}", status="ACTIVE",
                connected_at=NOW,
            )
            for n in range(many - 1)
        ]  # fmt: skip
        ExchangeAccount.objects.bulk_create(fresh)
        Balance.objects.bulk_create(
            Balance(owner=ada, account=a, currency="USDT", free=120, used=0, venue_at=NOW)
            for a in fresh
        )
        client.force_login(ada)

        # The session, the person, the site, what is unread; accounts, keys, balances, rates.
        with django_assert_max_num_queries(9):
            listing = client.get(reverse("exchanges:list")).content.decode()
        with django_assert_max_num_queries(9):
            client.get(reverse("exchanges:equity-chart"))

        assert listing.count('data-label="Equity"') == min(many, 50)
        assert ("?page=2" in listing) is (many == 500)

    def test_somebody_without_a_balance_sees_no_figure(self, client, ada):
        make_connected_account(ada)
        client.force_login(ada)

        page = client.get(reverse("exchanges:list")).content.decode()

        assert "not known" in page
        assert "data-chart" not in page
        assert client.get(reverse("exchanges:equity-chart")).json() == {"series": []}
