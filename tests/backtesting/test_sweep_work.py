"""What workers do with a sweep, also when things go wrong on the way."""

from datetime import timedelta

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from backtesting.domain.objectives import FIGURES
from backtesting.models import ChunkStatus, RunStatus, Sweep, SweepChunk
from backtesting.selectors import sweeps as selectors
from backtesting.services import chunks, specifications, sweep_computing, sweeps, trials
from foundation.audit import Actor
from market.timeframes import Timeframe
from strategies.definitions import ema_crossover
from strategies.indicators import averages
from tests.factories import backtesting as run_factory
from tests.factories import exchanges as exchange_factory
from tests.factories.accounts import make_person
from tests.factories.sweeps import NOW, make_done_sweep, make_sweep, work_through

pytestmark = pytest.mark.django_db


@pytest.fixture
def market():
    return run_factory.make_market()


@pytest.fixture
def person(market):
    return make_person()


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(sweeps, "_CHUNK_TRIALS", 3)
    monkeypatch.setattr(sweeps, "_GUIDED_CHUNK_TRIALS", 3)


def single_backtest(parameters):
    """Return the figures of one ordinary backtest with *parameters*."""
    wanted = run_factory.wish(parameters=parameters)
    backtest = trials.try_out(specifications.specify(**wanted, now=NOW))
    return {key: backtest.metrics.values[key] for key in FIGURES}


class TestResults:
    def test_every_trial_is_what_one_backtest_with_these_parameters_gives(self, person):
        sweep = make_done_sweep(person)
        found = selectors.trials_of(sweep)

        assert sweep.status == RunStatus.DONE
        assert len(found) == sweep.trials_done == sweep.trials_planned == 9
        for index in range(len(found)):
            parameters = {"stop_loss_percent": 3.0, **found.parameters(index)}
            assert found.figures_json(index) == single_backtest(parameters)

    def test_a_combination_that_warms_up_longer_is_still_what_one_backtest_gives(self, person):
        space = {"long_ema_period": {"values": [10, 40, 80]}}
        found = selectors.trials_of(make_done_sweep(person, space=space))

        for index in range(len(found)):
            parameters = {"stop_loss_percent": 3.0, **found.parameters(index)}
            wanted = run_factory.wish(parameters=parameters)
            backtest = trials.try_out(specifications.specify(**wanted, now=NOW))
            figures = found.figures_json(index)
            assert figures == {key: backtest.metrics.values[key] for key in FIGURES}

    def test_the_best_trial_is_the_best_of_all(self, person):
        sweep = make_done_sweep(person, objective="max_drawdown")
        found = selectors.trials_of(sweep)

        index = int(np.argmin(found.figure("max_drawdown")))
        assert sweep.best == {
            "number": index + 1,
            "parameters": found.parameters(index),
            "figures": found.figures_json(index),
        }

    def test_trials_with_too_few_trades_are_not_ranked(self, person):
        sweep = make_done_sweep(person, least_trades=10_000)

        assert sweep.status == RunStatus.DONE
        assert sweep.best is None

    def test_each_average_is_computed_once(self, person, monkeypatch):
        periods = []
        real = averages.ema

        def counted(close, period):
            periods.append(period)
            return real(close, period)

        monkeypatch.setattr(ema_crossover, "ema", counted)

        make_done_sweep(person)

        assert sorted(periods) == [5, 7, 9, 20]


class TestGuided:
    def test_the_same_seed_makes_the_same_trials_whatever_the_chunks(self, person, monkeypatch):
        wanted = {"method": "GUIDED", "trials": 14, "seed": 7}
        space = {"take_profit_percent": {"from": 1.0, "to": 9.0}, "short_ema_period": "2:15"}
        whole = make_done_sweep(person, space=space, **wanted)
        monkeypatch.setattr(sweeps, "_GUIDED_CHUNK_TRIALS", 3)
        other = make_done_sweep(make_person("grace@example.com"), space=space, **wanted)

        one, two = selectors.trials_of(whole), selectors.trials_of(other)
        assert (whole.chunks.count(), other.chunks.count()) == (1, 5)
        assert one.points == two.points
        assert len(set(one.points)) == 14
        assert np.array_equal(one.figures, two.figures, equal_nan=True)

    def test_it_ends_when_everything_was_tried(self, person, small_chunks):
        space = {"short_ema_period": {"values": [5, 7, 9, 25]}, "long_ema_period": "20"}
        sweep = make_done_sweep(person, method="GUIDED", trials=50, space=space)

        assert sweep.status == RunStatus.DONE
        assert (sweep.trials_asked, sweep.trials_done) == (4, 3)

    def test_a_chunk_waits_for_the_one_before_it(self, person, small_chunks):
        sweep = make_sweep(person, method="GUIDED", trials=6, space={"short_ema_period": "2:15"})
        sweep.chunks.filter(number=0).update(status=ChunkStatus.RUNNING)

        chunks.work_on_sweep(sweep_id=sweep.pk, now=NOW)

        assert not sweep.chunks.filter(status=ChunkStatus.DONE).exists()


def during(monkeypatch, deed):
    """Do *deed* once, while the strategy is computed."""
    real = averages.ema

    def interrupted(*args):
        monkeypatch.setattr(ema_crossover, "ema", real)
        deed()
        return real(*args)

    monkeypatch.setattr(ema_crossover, "ema", interrupted)


class TestClaims:
    def test_a_message_too_many_changes_nothing(self, person):
        sweep = make_done_sweep(person)
        version = sweep.version

        assert work_through(sweep).version == version

    def test_a_message_for_a_sweep_that_is_gone_changes_nothing(self, market):
        chunks.work_on_sweep(sweep_id=1, now=NOW)

        assert not Sweep.objects.exists()

    def test_a_worker_whose_claim_was_lost_writes_nothing(self, person, monkeypatch):
        sweep = make_sweep(person)
        during(monkeypatch, lambda: SweepChunk.objects.update(epoch=99))

        work_through(sweep)

        assert (sweep.status, sweep.trials_done) == (RunStatus.RUNNING, 0)

    def test_a_slow_worker_that_was_taken_for_dead_brings_its_trials(self, person, monkeypatch):
        sweep = make_sweep(person)

        def look_after():
            SweepChunk.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
            sweeps.look_after_sweeps(now=NOW)
            assert SweepChunk.objects.get().status == ChunkStatus.QUEUED

        during(monkeypatch, look_after)

        assert work_through(sweep).status == RunStatus.DONE
        assert sweep.trials_done == 9

    def test_a_chunk_that_another_worker_did_meanwhile_counts_once(self, person, monkeypatch):
        sweep = make_sweep(person)

        def take_over():
            SweepChunk.objects.update(status=ChunkStatus.QUEUED)
            chunks.work_on_sweep(sweep_id=sweep.pk, now=NOW)

        during(monkeypatch, take_over)

        assert work_through(sweep).trials_done == 9
        assert sweep.chunks.get().attempts == 2

    def test_chunks_end_in_any_order_and_the_best_is_the_same(
        self, person, small_chunks, monkeypatch
    ):
        sweep = make_sweep(person)

        def another_first():
            chunks.work_on_sweep(sweep_id=sweep.pk, now=NOW)

        during(monkeypatch, another_first)
        work_through(sweep)
        whole = make_done_sweep(make_person("grace@example.com"))

        assert sweep.status == RunStatus.DONE
        assert sweep.best == whole.best


class TestEnds:
    def test_a_wish_to_cancel_is_noticed_and_trials_so_far_stay(
        self, person, small_chunks, monkeypatch
    ):
        sweep = make_sweep(person)
        chunks.work_on_sweep(sweep_id=sweep.pk, now=NOW)
        by = Actor.person(person.pk)
        during(monkeypatch, lambda: sweeps.cancel_sweep(sweep_id=sweep.pk, by=by, now=NOW))

        assert work_through(sweep).status == RunStatus.CANCELED
        assert sweep.trials_done == len(selectors.trials_of(sweep)) == 3
        assert sweep.best is not None

    def test_candles_that_changed_fail_it(self, market, person):
        sweep = make_sweep(person)
        bar = exchange_factory.make_candles([1.0, 31_000.0])
        exchange_factory.store_candles(market, Timeframe.H1, bar.slice(1, 2))

        assert work_through(sweep).error_code == "candles_changed"
        assert sweep.status == RunStatus.FAILED

    def test_the_time_limit_fails_it_with_a_text(self, person, monkeypatch):
        def too_slow(*args):
            raise SoftTimeLimitExceeded

        monkeypatch.setattr(ema_crossover, "ema", too_slow)

        sweep = work_through(make_sweep(person))
        assert (sweep.status, sweep.error_code) == (RunStatus.FAILED, "time_limit")
        assert "shorter window" in sweep.error_message

    def test_a_strategy_that_raises_fails_it_without_its_details(self, person, monkeypatch, caplog):
        def broken(*args):
            raise ZeroDivisionError("a secret")

        monkeypatch.setattr(ema_crossover, "ema", broken)

        sweep = work_through(make_sweep(person))
        assert (sweep.status, sweep.error_code) == (RunStatus.FAILED, "strategy_failed")
        assert "secret" not in sweep.error_message
        assert "strategy.broke" in caplog.text

    def test_a_bug_of_ours_fails_it_without_its_details(self, person, monkeypatch, caplog):
        def broken(*args, **options):
            raise ZeroDivisionError("a secret")

        monkeypatch.setattr(sweep_computing, "evaluate", broken)

        sweep = work_through(make_sweep(person))
        assert (sweep.status, sweep.error_code) == (RunStatus.FAILED, "internal_error")
        assert "secret" not in sweep.error_message
        assert "sweep.broke" in caplog.text

    def test_nothing_is_begun_after_the_longest_duration_and_the_sweeper_ends_it(
        self, person, small_chunks
    ):
        sweep = make_sweep(person)
        chunks.work_on_sweep(sweep_id=sweep.pk, now=NOW)
        late = NOW + sweeps.MAXIMUM_DURATION + timedelta(seconds=1)

        work_through(sweep, now=late)
        Sweep.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
        sweeps.look_after_sweeps(now=late)

        sweep.refresh_from_db()
        assert (sweep.status, sweep.error_code) == (RunStatus.FAILED, "time_limit")
        assert sweep.trials_done == 3


def test_progress_counts_trials_and_renews_the_claim(person, monkeypatch):
    sweep = make_sweep(person)
    monkeypatch.setattr(chunks, "_REPORT_S", 0.0)
    seen = []

    class Recording(chunks._Watch):
        def progress(self, done):
            super().progress(done)
            row = Sweep.objects.get(pk=sweep.pk)
            seen.append((row.progress, row.lease_until))

    monkeypatch.setattr(chunks, "_Watch", Recording)

    work_through(sweep)

    assert [progress for progress, _ in seen] == sorted(progress for progress, _ in seen)
    assert seen[0][0] == 0
    assert seen[-1][0] == 100
    assert all(lease and lease > timezone.now() + timedelta(seconds=1) for _, lease in seen)
