"""Backtests that the catalogue shows."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, transaction

from backtesting.services import evidence
from backtesting.services.evidence import NothingToShowError
from backtesting.tasks import record_evidence, sweep_evidence
from exchanges.models import Instrument, Venue
from foundation.audit import Actor
from foundation.models import AuditEntry
from market.timeframes import Timeframe
from strategies import registry
from strategies.models import Evidence, Strategy
from strategies.selectors import catalogue as selectors
from strategies.services import catalogue
from strategies.services import evidence as wishes
from tests.backtesting.universes import SYMBOLS, make_universe
from tests.factories import exchanges
from tests.factories.accounts import make_person
from tests.factories.backtesting import NOW, make_done_run, make_market
from tests.factories.billing import with_plan
from tests.factories.evidence import make_evidence

pytestmark = pytest.mark.django_db

BY = Actor.system("test")


def wish() -> Strategy:
    """Return a strategy whose evidence an operator waits for."""
    strategy = Strategy.objects.get(slug="ema-crossover")
    return wishes.request_evidence(strategy_id=strategy.pk, by=BY, now=NOW)


class TestRecord:
    def test_it_is_the_same_backtest_that_a_person_gets(self):
        row = make_evidence()
        run = make_done_run(
            with_plan(make_person()), from_at=row.from_at, to_at=row.to_at, parameters={}
        )

        assert row.metrics == run.metrics
        assert row.spec_hash == run.spec_hash
        assert row.data_fingerprint == run.data_fingerprint
        assert (row.bar_count, row.engine_version) == (run.bar_count, run.engine_version)
        assert (row.maker_fee_bps, row.slippage_bps) == (run.maker_fee_bps, run.slippage_bps)

    def test_its_curve_is_short_and_ends_at_the_final_equity(self):
        row = make_evidence()

        assert len(row.curve) <= 100
        assert row.curve[0][1] == float(row.capital)
        assert row.curve[-1][1] == pytest.approx(row.metrics["values"]["final_equity"])
        times = [point[0] for point in row.curve]
        assert times == sorted(set(times))

    def test_the_same_again_is_the_same_row(self):
        first = make_evidence()

        second = evidence.record_evidence(
            strategy_slug="ema-crossover",
            market="binance:BTC/USDT",
            timeframe="1h",
            by=BY,
            now=NOW,
        )

        assert first.pk == second.pk
        assert AuditEntry.objects.filter(verb="strategy.evidence_recorded").count() == 1

    def test_it_is_never_changed(self):
        row = make_evidence()

        with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
            Evidence.objects.filter(pk=row.pk).update(metrics={})

    def test_a_simulated_market_is_no_evidence_unless_it_is_named(self):
        make_market()
        Venue.objects.update(real_money=False)

        with pytest.raises(NothingToShowError):
            evidence.record_evidence(strategy_slug="ema-crossover", by=BY, now=NOW)

    def test_a_series_that_the_warm_up_eats_is_no_evidence(self):
        make_market(bars=150)
        Venue.objects.update(real_money=True)

        with pytest.raises(NothingToShowError, match="EMA crossover"):
            evidence.record_evidence(strategy_slug="ema-crossover", by=BY, now=NOW)

    def test_a_strategy_of_sessions_is_shown_over_several_days_only(self):
        instrument = make_market()
        Venue.objects.update(real_money=True)
        closes = [100.0 + number % 7 for number in range(500)]
        for timeframe in (Timeframe.M5, Timeframe.M15):
            candles = exchanges.make_candles(closes, timeframe=timeframe)
            exchanges.store_candles(instrument, timeframe, candles)

        row = evidence.record_evidence(strategy_slug="opening-range", by=BY, now=NOW)

        # 500 bars of five minutes are less than two days; hours do not suit its sessions.
        assert row.timeframe == "15m"

    def test_a_history_that_is_too_short_for_a_strategy_is_told_and_the_rest_goes_on(self):
        make_market()
        Venue.objects.update(real_money=True)
        said = io.StringIO()

        call_command("record_evidence", stdout=said)

        assert "cpr-daily: No recorded series" in said.getvalue()
        assert "ema-crossover: BTC/USDT 1h" in said.getvalue()

    def test_a_new_version_has_to_prove_itself_again(self, monkeypatch):
        row = make_evidence()
        monkeypatch.setattr(registry, "code_fingerprint", lambda definition: "f" * 64)
        catalogue.sync_catalogue(now=NOW)

        assert selectors.evidence_of([row.version.strategy]) == {row.version.strategy_id: []}


class TestUniverse:
    def test_all_markets_that_are_alike_are_shown_late_listings_and_delistings_included(
        self, client
    ):
        make_universe()
        Venue.objects.update(real_money=True)

        row = evidence.record_evidence(strategy_slug="top-movers-macd", by=BY, now=NOW)

        assert [each["symbol"] for each in row.metrics["universe"]["markets"]] == list(SYMBOLS)
        assert row.metrics["values"]["trades"] > 0
        client.force_login(make_person())
        page = client.get("/strategies/top-movers-macd/").content.decode()
        assert "Backtest on 4 markets at" in page

    def test_two_markets_are_no_universe_to_choose_from(self):
        make_universe()
        Venue.objects.update(real_money=True)
        for symbol in SYMBOLS[:2]:
            Instrument.objects.filter(symbol=symbol).update(settle="EUR")

        with pytest.raises(NothingToShowError):
            evidence.record_evidence(strategy_slug="top-movers-macd", by=BY, now=NOW)

    def test_a_page_without_one_says_that_its_history_is_long(self, client):
        make_market()
        client.force_login(make_person())

        page = client.get("/strategies/cpr-daily/").content.decode()

        assert "It needs a longer history before its first decision" in page
        assert "14,400" in page


class TestWish:
    def test_a_worker_answers_it(self):
        make_market()
        Venue.objects.update(real_money=True)
        strategy = wish()

        record_evidence(strategy_id=strategy.pk)

        strategy.refresh_from_db()
        assert strategy.evidence_requested_at is None
        assert strategy.evidence_error == ""
        assert Evidence.objects.count() == 1

    def test_what_cannot_be_done_is_told_to_the_operator(self):
        make_market()
        Venue.objects.update(real_money=False)
        strategy = wish()

        record_evidence(strategy_id=strategy.pk)

        strategy.refresh_from_db()
        assert strategy.evidence_requested_at is None
        assert "Import candles first" in strategy.evidence_error

    def test_a_message_that_comes_twice_computes_once(self, django_assert_num_queries):
        make_market()
        Venue.objects.update(real_money=True)
        strategy = wish()
        record_evidence(strategy_id=strategy.pk)

        with django_assert_num_queries(1):
            record_evidence(strategy_id=strategy.pk)

    def test_one_whose_message_was_lost_is_asked_again_and_in_the_end_given_up(
        self, django_capture_on_commit_callbacks
    ):
        make_market()
        strategy = wish()

        with django_capture_on_commit_callbacks() as callbacks:
            assert wishes.sweep_wishes(now=NOW) == 0
            assert wishes.sweep_wishes(now=NOW + timedelta(minutes=11)) == 1
        assert len(callbacks) == 1
        sweep_evidence()

        strategy.refresh_from_db()
        assert strategy.evidence_requested_at is None
        assert "within an hour" in strategy.evidence_error


class TestCommand:
    def test_it_says_over_which_market_and_time(self):
        make_market()
        Venue.objects.update(real_money=True)
        said = io.StringIO()

        call_command("record_evidence", stdout=said)

        assert (
            "ema-crossover: BTC/USDT 1h, 2024-01-05 to 2024-01-26, 500 bars, +" in said.getvalue()
        )

    def test_what_looks_at_many_markets_is_left_out_where_there_is_one(self):
        make_market()
        Venue.objects.update(real_money=True)
        said = io.StringIO()

        call_command("record_evidence", stdout=said)

        assert "top-movers-macd: No recorded series" in said.getvalue()
        assert not Evidence.objects.filter(version__strategy__slug="top-movers-macd").exists()

    def test_an_unknown_one_is_refused(self):
        errors = io.StringIO()

        with pytest.raises(SystemExit):
            call_command("record_evidence", "gone", stderr=errors)

        assert errors.getvalue().startswith("error: unknown_strategy")
