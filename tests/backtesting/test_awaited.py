"""Backtests that wait for the candles they lack, and begin by themselves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backtesting.models import AwaitedRun, AwaitedStatus, BacktestRun
from backtesting.services import awaited
from exchanges.models import FetchStatus, HistoryFetch, Venue
from foundation.audit import Actor
from market.errors import InvalidInputError
from tests.factories import accounts as people
from tests.factories import backtesting as factory
from tests.factories import exchanges as exchange_factory
from tests.factories.backtesting import FIRST_AT, make_market

pytestmark = pytest.mark.django_db

BY = Actor.system("test")
NOW = FIRST_AT + timedelta(days=400)
LATER = FIRST_AT + timedelta(days=100)


@pytest.fixture
def person():
    return people.make_person()


def ask(person, **fields):
    wish = factory.wish(**{"to_at": LATER, **fields})
    return awaited.request_run(owner=person, by=BY, now=NOW, **wish)


def end_fetches(status=FetchStatus.DONE):
    HistoryFetch.objects.update(status=status, finished_at=NOW)


class TestWaiting:
    def test_what_is_missing_is_sent_for_and_the_run_waits(self, person):
        market = make_market()

        wish = ask(person)

        assert wish.status == AwaitedStatus.WAITING
        fetch = HistoryFetch.objects.get()
        assert wish.fetch_ids == [fetch.pk]
        assert fetch.instrument == market
        assert not BacktestRun.objects.exists()

    def test_it_begins_once_the_fetch_is_over(self, person):
        make_market()
        wish = ask(person)
        end_fetches()

        assert awaited.look_after_due(now=NOW + timedelta(seconds=3)) == 1

        wish.refresh_from_db()
        run = BacktestRun.objects.get()
        assert (wish.status, wish.run, wish.progress) == (AwaitedStatus.STARTED, run, 100)
        assert run.owner == person

    def test_a_fetch_under_way_is_waited_for_with_its_progress(self, person):
        make_market()
        wish = ask(person)
        fetch = HistoryFetch.objects.get()
        HistoryFetch.objects.update(
            status=FetchStatus.RUNNING,
            reached_at=fetch.from_at + (fetch.to_at - fetch.from_at) / 4,
        )

        wish = awaited.look_after(awaited_id=wish.pk, now=NOW)

        assert (wish.status, wish.progress) == (AwaitedStatus.WAITING, 25)

    def test_a_failed_fetch_is_not_repeated_and_the_run_takes_what_is_there(self, person):
        make_market()
        wish = ask(person)
        end_fetches(FetchStatus.FAILED)

        wish = awaited.look_after(awaited_id=wish.pk, now=NOW)

        assert HistoryFetch.objects.count() == 1
        assert wish.run is not None
        assert wish.run.to_at < LATER

    def test_looking_twice_makes_one_run(self, person):
        make_market()
        wish = ask(person)
        end_fetches()

        awaited.look_after(awaited_id=wish.pk, now=NOW)
        awaited.look_after(awaited_id=wish.pk, now=NOW)

        assert BacktestRun.objects.count() == 1

    def test_a_person_with_too_many_fetches_waits_for_them(self, person):
        market = make_market()
        for number in range(5):
            HistoryFetch.objects.create(
                requested_by=person,
                instrument=exchange_factory.make_instrument(f"C{number}/USDT", venue=market.venue),
                timeframe="1h",
                from_at=FIRST_AT,
                to_at=LATER,
                requested_at=NOW,
            )

        wish = ask(person)
        assert (wish.status, wish.fetch_ids) == (AwaitedStatus.WAITING, [])

        HistoryFetch.objects.update(status=FetchStatus.DONE)
        wish = awaited.look_after(awaited_id=wish.pk, now=NOW)
        assert len(wish.fetch_ids) == 1


class TestNotWaiting:
    def test_a_market_without_any_candle_may_be_asked_for(self, person):
        market = make_market()
        exchange_factory.make_instrument("NEW/USDT", venue=market.venue)

        wish = ask(person, market=f"{market.venue.code}:NEW/USDT")
        assert wish.status == AwaitedStatus.WAITING

        end_fetches()
        wish = awaited.look_after(awaited_id=wish.pk, now=NOW)
        assert (wish.status, wish.run) == (AwaitedStatus.FAILED, None)
        assert wish.error_message

    def test_what_candles_do_not_cure_is_refused_at_once(self, person):
        make_market()

        with pytest.raises(InvalidInputError) as refused:
            ask(person, timeframe="7h")

        assert [problem.field for problem in refused.value.problems] == ["timeframe"]
        assert not AwaitedRun.objects.exists()

    def test_a_venue_that_gives_no_candles_is_not_waited_for(self, person):
        make_market()
        Venue.objects.update(ccxt_id="")

        assert isinstance(ask(person), BacktestRun)

    def test_too_many_are_refused_and_nothing_is_stored(self, person):
        market = make_market()
        for number in range(awaited.MOST_WAITING + 1):
            exchange_factory.make_instrument(f"C{number}/USDT", venue=market.venue)
            code = f"{market.venue.code}:C{number}/USDT"
            if number < awaited.MOST_WAITING:
                ask(person, market=code)

        with pytest.raises(awaited.TooManyAwaitedError):
            ask(person, market=code)

        assert AwaitedRun.objects.count() == awaited.MOST_WAITING


class TestTakingBack:
    def test_a_canceled_wish_never_runs(self, person):
        make_market()
        wish = ask(person)
        awaited.cancel(awaited_id=wish.pk, by=BY, now=NOW)
        end_fetches()

        awaited.look_after(awaited_id=wish.pk, now=NOW)

        assert not BacktestRun.objects.exists()
        with pytest.raises(awaited.AwaitedEndedError):
            awaited.cancel(awaited_id=wish.pk, by=BY, now=NOW)


class TestPagesAndApi:
    @pytest.fixture
    def page(self, client, person):
        client.force_login(person)
        return client

    def test_the_page_waits_then_leads_to_the_run(self, page, person):
        make_market()
        wish = ask(person)
        address = f"/backtests/awaited/{wish.public_id}/"

        assert b"The backtest begins by itself" in page.get(address).content
        assert wish.public_id.hex in page.get("/backtests/").content.decode().replace("-", "")
        polled = page.get(f"{address}?version={wish.version}", headers={"HX-Request": "true"})
        assert polled.status_code in {200, 204}

        end_fetches()
        awaited.look_after(awaited_id=wish.pk, now=timezone.now())
        run = BacktestRun.objects.get()
        polled = page.get(address, headers={"HX-Request": "true"})
        assert polled.headers["HX-Refresh"] == "true"
        assert page.get(address).headers["Location"] == f"/backtests/{run.public_id}/"

    def test_canceling_goes_back_to_the_list(self, page, person):
        make_market()
        wish = ask(person)

        answer = page.post(f"/backtests/awaited/{wish.public_id}/cancel/")

        assert answer.headers["Location"] == "/backtests/"
        wish.refresh_from_db()
        assert wish.status == AwaitedStatus.CANCELED

    def test_the_api_answers_202_and_tells_of_the_wish(self, page):
        make_market()
        body = {
            "strategy": "ema-crossover",
            "market": "binance:BTC/USDT",
            "timeframe": "1h",
            "from": FIRST_AT.isoformat(),
            "to": LATER.isoformat(),
            "fetch_missing": True,
        }

        answer = page.post("/api/v1/backtests", body, content_type="application/json")

        assert answer.status_code == 202
        address = answer.headers["Location"]
        told = page.get(address).json()
        assert (told["status"], told["run"], told["market"]) == ("WAITING", None, body["market"])
        assert page.delete(address).status_code == 204
        assert page.get(address).json()["status"] == "CANCELED"
        assert page.delete(address).status_code == 409
