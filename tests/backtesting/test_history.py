"""Tags and notes on runs, and runs that are deleted."""

from datetime import timedelta
from decimal import Decimal

import pytest

from backtesting.domain.tags import InvalidAnnotationError
from backtesting.models import BacktestRun, BacktestTrade
from backtesting.selectors import runs as selectors
from backtesting.selectors import usage
from backtesting.selectors.runs import RunFilter
from backtesting.services import evidence, history
from foundation.audit import Actor
from foundation.models import AuditEntry
from tests.factories.accounts import make_person
from tests.factories.backtesting import NOW, make_done_run, make_market, make_run

pytestmark = pytest.mark.django_db

BY = Actor.system("test")


@pytest.fixture
def person():
    make_market()
    return make_person()


class TestAnnotate:
    def test_tags_are_kept_small_trimmed_and_once(self, person):
        run = make_run(person)

        history.annotate_run(run_id=run.pk, tags=[" Breakout ", "breakout", "Low  risk"], by=BY)

        run.refresh_from_db()
        assert run.tags == ["breakout", "low risk"]
        assert AuditEntry.objects.filter(verb="backtest.annotated", owner=person).count() == 1

    def test_what_is_not_said_stays(self, person):
        run = make_run(person)
        history.annotate_run(run_id=run.pk, tags=["a"], notes="Too good?\r\nCheck.", by=BY)

        history.annotate_run(run_id=run.pk, tags=[], by=BY)

        run.refresh_from_db()
        assert (run.tags, run.notes) == ([], "Too good?\nCheck.")

    @pytest.mark.parametrize(
        "change",
        [
            {"tags": [f"t{number}" for number in range(11)]},
            {"tags": ["x" * 31]},
            {"tags": [" "]},
            {"tags": ["a,b"]},
            {"tags": ["a\x00b"]},
            {"notes": "x" * 2_001},
            {"notes": "a\x00b"},
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, person, change):
        run = make_run(person)

        with pytest.raises(InvalidAnnotationError) as refused:
            history.annotate_run(run_id=run.pk, by=BY, **change)

        assert [problem.field for problem in refused.value.problems] == list(change)
        run.refresh_from_db()
        assert (run.tags, run.notes) == ([], "")


class TestDelete:
    def test_the_result_goes_and_the_count_of_the_day_stays(self, person):
        run = make_done_run(person)
        history.annotate_run(run_id=run.pk, tags=["a"], notes="b", by=BY)

        history.delete_run(run_id=run.pk, by=BY, now=NOW)

        row = BacktestRun.objects.get(pk=run.pk)
        assert (row.metrics, row.equity, row.tags, row.notes) == ({}, None, [], "")
        assert not BacktestTrade.objects.filter(run=run).exists()
        assert not selectors.runs_for(person).exists()
        assert usage.count_runs_today(person.pk, NOW) == 1
        with pytest.raises(selectors.BacktestNotFoundError):
            selectors.get_run_for(person, public_id=run.public_id)

    def test_a_second_time_nothing_happens(self, person):
        run = make_done_run(person)

        for _ in range(2):
            history.delete_run(run_id=run.pk, by=BY, now=NOW)

        assert AuditEntry.objects.filter(verb="backtest.deleted").count() == 1

    def test_the_same_can_be_run_again(self, person):
        run = make_done_run(person)
        history.delete_run(run_id=run.pk, by=BY, now=NOW)

        assert make_done_run(person).pk != run.pk

    def test_an_unfinished_run_is_canceled_first(self, person):
        run = make_run(person)

        with pytest.raises(history.RunUnfinishedError):
            history.delete_run(run_id=run.pk, by=BY, now=NOW)

    def test_evidence_of_the_catalogue_is_never_touched(self, person):
        run = make_done_run(person)
        by_default = {"timeframe": "1h", "market": "binance:BTC/USDT"}
        shown = evidence.record_evidence(
            strategy_slug="ema-crossover", **by_default, by=BY, now=NOW
        )

        history.delete_run(run_id=run.pk, by=BY, now=NOW)
        history.purge_deleted(now=NOW + timedelta(days=3))

        shown.refresh_from_db()
        assert shown.metrics["values"]
        assert shown.curve

    def test_after_two_days_the_row_goes_as_well(self, person):
        kept, run = make_run(person), make_done_run(person, capital=Decimal(2_000))
        history.delete_run(run_id=run.pk, by=BY, now=NOW)

        assert history.purge_deleted(now=NOW + timedelta(days=1)) == 0
        assert history.purge_deleted(now=NOW + timedelta(days=3)) == 1

        assert list(BacktestRun.objects.values_list("pk", flat=True)) == [kept.pk]


class TestFilter:
    @pytest.mark.parametrize(
        ("wanted", "count"),
        [
            (RunFilter(), 2),
            (RunFilter(tag="Trend"), 1),
            (RunFilter(tag="gone"), 0),
            (RunFilter(market="binance:BTC/USDT"), 2),
            (RunFilter(market="binance:ETH/USDT"), 0),
            (RunFilter(market="nonsense"), 0),
            (RunFilter(status="DONE", strategy="ema-crossover"), 1),
        ],
    )
    def test_runs_are_narrowed_down(self, person, wanted, count):
        run = make_done_run(person)
        history.annotate_run(run_id=run.pk, tags=["trend", "x"], by=BY)
        make_run(person, capital=Decimal(2_000))

        assert wanted.apply(selectors.runs_for(person)).count() == count

    def test_choices_are_those_of_the_person(self, person):
        run, other = make_run(person), make_run(make_person("bea@example.com"))
        history.annotate_run(run_id=run.pk, tags=["b", "a"], by=BY)
        history.annotate_run(run_id=other.pk, tags=["c"], by=BY)

        assert selectors.tags_of(person) == ["a", "b"]
        assert selectors.kinds_of(person) == [
            ("ema-crossover", "EMA crossover", "binance", "BTC/USDT")
        ]
