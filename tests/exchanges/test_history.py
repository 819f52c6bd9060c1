"""History that a person asks for: limits, workers that take turns, failures, and the page that shows it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from exchanges.adapters import memory
from exchanges.adapters.factory import MEMORY
from exchanges.adapters.memory import InMemoryVenue
from exchanges.models import FetchStatus, HistoryFetch, Instrument
from exchanges.selectors import fetches
from exchanges.services import history
from exchanges.services.feeds import VenueOfflineError
from foundation.audit import Actor
from market.errors import VenueRejectedError
from market.timeframes import Timeframe, from_milliseconds
from tests.factories.accounts import make_person
from tests.factories.exchanges import (
    NEW_YEAR_MS,
    make_candles,
    make_instrument,
    make_venue,
    store_candles,
)

pytestmark = pytest.mark.django_db

H1 = Timeframe.H1
START = from_milliseconds(NEW_YEAR_MS)
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def venue() -> Iterator[InMemoryVenue]:
    """A venue with 3,000 hourly bars of BTC/USDT."""
    venue = InMemoryVenue()
    venue.candle_rows["BTC/USDT", H1] = make_candles([100.0 + n % 7 for n in range(3_000)]).rows()
    memory.use_venue("memory", venue)
    yield venue
    memory.forget_venues()


@pytest.fixture
def instrument(venue: InMemoryVenue) -> Instrument:
    """BTC/USDT there."""
    return make_instrument(venue=make_venue("memory", ccxt_id=MEMORY))


@pytest.fixture
def person(db):
    """Somebody who is signed in."""
    return make_person()


def request(person, instrument, *, days: int = 10, since=START, timeframe=H1) -> HistoryFetch:
    return history.request_fetch(
        owner=person,
        instrument_id=instrument.pk,
        timeframe=timeframe,
        from_at=since,
        to_at=since + timedelta(days=days),
        by=Actor.person(person.pk),
        now=NOW,
    )


def run(fetch: HistoryFetch) -> HistoryFetch:
    history.run_fetch(fetch_id=fetch.pk, clock=lambda: NOW)
    fetch.refresh_from_db()
    return fetch


class TestRequest:
    def test_a_worker_fetches_it_once(self, person, instrument):
        fetch = run(request(person, instrument))

        assert (fetch.status, fetch.added) == (FetchStatus.DONE, 240)
        assert fetch.reached_at == START + timedelta(days=10)
        assert [each.pk for each in fetches.fetches_for(person, now=NOW)] == [fetch.pk]
        assert fetches.fetches_for(make_person("eve@example.com"), now=NOW) == []
        assert run(fetch).added == 240

    def test_one_fetch_serves_everybody_and_is_widened(self, person, instrument):
        fetch = request(person, instrument, days=5)
        later = request(
            make_person("eve@example.com"), instrument, since=START + timedelta(days=3), days=10
        )

        assert later.pk == fetch.pk
        assert run(fetch).added == 13 * 24

    def test_what_is_asked_for_meanwhile_is_fetched_too(self, person, instrument):
        fetch = request(person, instrument, days=5)
        HistoryFetch.objects.update(status=FetchStatus.RUNNING)
        request(make_person("eve@example.com"), instrument, days=10)
        HistoryFetch.objects.update(status=FetchStatus.QUEUED)

        assert run(fetch).added == 240

    def test_limits(self, person, instrument):
        with pytest.raises(history.TooMuchHistoryError):
            request(person, instrument, days=500, timeframe=Timeframe.M1)
        with pytest.raises(history.WindowInvertedError):
            request(person, instrument, since=NOW + timedelta(days=1))
        with pytest.raises(VenueOfflineError):
            request(person, make_instrument(venue=make_venue("gone", ccxt_id="")))
        for n in range(history.MOST_UNFINISHED):
            request(person, make_instrument(f"C{n}/USDT", venue=instrument.venue))
        with pytest.raises(history.TooManyFetchesError):
            request(person, instrument)
        assert HistoryFetch.objects.count() == history.MOST_UNFINISHED


class TestWorkers:
    def test_a_lost_worker_is_replaced_and_writes_nothing_more(self, person, instrument):
        fetch = request(person, instrument)
        HistoryFetch.objects.update(status=FetchStatus.RUNNING, epoch=1)

        assert history.sweep_fetches(now=NOW) == 0
        assert history.sweep_fetches(now=NOW + timedelta(hours=1)) == 1

        assert run(fetch).status == FetchStatus.DONE
        assert fetch.epoch == 2

    def test_a_venue_that_refuses_is_asked_three_times_in_all(self, person, instrument, venue):
        fetch = request(person, instrument)
        for attempt in range(3):
            assert fetch.status == FetchStatus.QUEUED, attempt
            venue.next_question(raises=VenueRejectedError("Not here."))
            run(fetch)

        assert (fetch.status, fetch.error_message) == (FetchStatus.FAILED, "Not here.")
        assert request(person, instrument).pk != fetch.pk


class TestPage:
    @pytest.fixture
    def client(self, client, person):
        client.force_login(person)
        return client

    def test_what_is_held_is_listed_filtered_and_sorted(self, client):
        instrument = make_instrument()
        candles = make_candles([100.0 + n for n in range(50)])
        store_candles(instrument, H1, candles.slice(0, 20))
        store_candles(instrument, H1, candles.slice(30, 50))
        ether = make_instrument("ETH/USDT", venue=instrument.venue)
        store_candles(ether, H1, candles)

        page = client.get(reverse("market-data:held")).context
        gapped = client.get(reverse("market-data:held"), {"trouble": "gaps"}).context
        by_bars = client.get(reverse("market-data:held"), {"sort": "bars"}).context
        nonsense = client.get(reverse("market-data:held"), {"sort": "x;", "venue": "?"}).context

        assert [row.series.symbol for row in page["rows"]] == ["BTC/USDT", "ETH/USDT"]
        assert page["total"].missing == 10
        assert [row.series.symbol for row in gapped["rows"]] == ["BTC/USDT"]
        assert [row.series.symbol for row in by_bars["rows"]] == ["ETH/USDT", "BTC/USDT"]
        assert len(nonsense["rows"]) == 2

    @pytest.mark.parametrize("count", [1, 60])
    def test_a_page_costs_the_same_whatever_is_stored(
        self, client, django_assert_max_num_queries, count
    ):
        venue = make_venue()
        for n in range(count):
            store_candles(
                make_instrument(f"C{n}/USDT", venue=venue), Timeframe.D1, make_candles([1.0, 2.0])
            )
        client.get(reverse("market-data:held"))

        with django_assert_max_num_queries(12):
            page = client.get(reverse("market-data:held")).context

        assert len(page["rows"]) == min(count, 50)

    def test_history_is_asked_for(self, client, person, instrument):
        answer = client.post(
            reverse("market-data:held"),
            {"market": "memory:BTC/USDT", "fetch_timeframe": "1h", "since": "2024-01-01"},
            follow=True,
        )

        fetch = HistoryFetch.objects.get()
        assert (fetch.requested_by, fetch.from_at) == (person, START)
        assert b"is being fetched" in answer.content
        assert b"Waiting" in answer.content

    def test_what_cannot_be_fetched_is_said_beside_the_field(self, client, instrument):
        answer = client.post(
            reverse("market-data:held"),
            {"market": "memory:BTC/USD", "fetch_timeframe": "1h", "since": "2024-01-01"},
        )

        assert answer.status_code == 422
        assert "Did you mean BTC/USDT" in answer.context["form"].errors["market"][0]


class TestApi:
    def test_series_come_by_cursor_with_filters(self, client, person):
        client.force_login(person)
        venue = make_venue()
        for n in range(3):
            store_candles(
                make_instrument(f"C{n}/USDT", venue=venue),
                Timeframe.D1,
                make_candles([1.0, 2.0], timeframe=Timeframe.D1),
            )

        first = client.get("/api/v1/candle-series", {"limit": 2, "venue": "binance"}).json()
        second = client.get(first["next"]).json()

        assert [row["symbol"] for row in first["results"]] == ["C0/USDT", "C1/USDT"]
        assert [row["symbol"] for row in second["results"]] == ["C2/USDT"]
        assert second["next"] is None
        assert first["results"][0] == {
            "market": "binance:C0/USDT",
            "venue": "binance",
            "symbol": "C0/USDT",
            "timeframe": "1d",
            "first_open_at": "2024-01-01T00:00:00Z",
            "last_open_at": "2024-01-02T00:00:00Z",
            "bars": 2,
            "missing": 0,
            "gaps": 0,
            "confirmed_gaps": 0,
            "revisions": 0,
            "refused": 0,
            "bytes": first["results"][0]["bytes"],
            "is_followed": False,
            "behind_since_at": None,
        }
        assert client.get("/api/v1/candle-series", {"trouble": "x"}).status_code == 400
