"""What a worker does with a run, also when things go wrong on the way."""

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from backtesting.models import BacktestRun, RunStatus
from backtesting.selectors import runs as selectors
from backtesting.services import claims, execution, runs, specifications, trials
from backtesting.services.claims import Claim
from foundation.audit import Actor
from market.timeframes import Timeframe
from strategies import registry
from strategies.definitions import ema_crossover
from strategies.indicators import crossings
from strategies.indicators.crossings import Crossings
from tests.factories import exchanges as exchange_factory
from tests.factories.accounts import make_person
from tests.factories.backtesting import NOW, make_done_run, make_market, make_run, wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def market():
    return make_market()


@pytest.fixture
def person():
    return make_person()


def executed(run: BacktestRun) -> BacktestRun:
    execution.execute_run(run_id=run.pk)
    run.refresh_from_db()
    return run


class TestExecuteRun:
    def test_the_whole_result_is_stored(self, market, person):
        run = make_done_run(person)
        expected = trials.try_out(specifications.specify(**wish(), now=NOW))

        assert run.status == RunStatus.DONE
        assert run.progress == 100
        assert run.attempts == 1
        assert run.metrics == expected.metrics_json()
        assert run.data_fingerprint == expected.fingerprint()
        assert bytes(run.equity or b"") == expected.curve().to_bytes()
        assert run.trades.count() == len(expected.trades()) > 5
        assert run.started_at
        assert run.finished_at
        assert run.finished_at >= run.started_at

    def test_trades_are_the_engines_to_the_last_digit(self, market, person):
        stored = selectors.trades_of(make_done_run(person))
        expected = trials.try_out(specifications.specify(**wish(), now=NOW)).trades()

        for row, trade in zip(stored, expected, strict=True):
            assert row.owner == person
            assert (row.number, row.direction) == (trade.number, trade.direction)
            assert (row.quantity, row.pnl, row.fees) == (trade.quantity, trade.pnl, trade.fees)
            assert (row.entry_price, row.exit_price) == (trade.entry_price, trade.exit_price)
            assert (row.entry_at, row.exit_at) == (trade.entry_at, trade.exit_at)
            assert row.exit_reason == trade.exit_reason

    def test_decisions_are_counted_once_for_each_bar(self, market, person):
        run = make_done_run(person)

        assert sum(run.metrics["decisions"].values()) == run.bar_count

    def test_a_second_message_changes_nothing(self, market, person):
        run = make_done_run(person)
        version = run.version

        assert executed(run).version == version

    def test_a_message_for_a_run_that_is_gone_changes_nothing(self, market):
        execution.execute_run(run_id=1)

        assert not BacktestRun.objects.exists()

    def test_candles_that_changed_after_the_request_fail_it(self, market, person):
        run = make_run(person)
        bar = exchange_factory.make_candles([1.0, 31_000.0])
        exchange_factory.store_candles(market, Timeframe.H1, bar.slice(1, 2))

        assert executed(run).error_code == "candles_changed"
        assert run.status == RunStatus.FAILED

    def test_another_engine_fails_it(self, market, person):
        run = make_run(person)
        BacktestRun.objects.filter(pk=run.pk).update(engine_version="0")

        assert executed(run).error_code == "code_changed"

    def test_the_time_limit_fails_it_with_a_text(self, market, person, monkeypatch):
        run = make_run(person)

        def too_slow(*args):
            raise SoftTimeLimitExceeded

        monkeypatch.setattr(ema_crossover, "ema_crossings", too_slow)

        assert executed(run).status == RunStatus.FAILED
        assert run.error_code == "time_limit"
        assert "shorter window" in run.error_message

    def test_a_strategy_that_raises_fails_it_with_the_place(
        self, market, person, monkeypatch, caplog
    ):
        run = make_run(person)

        def broken(*args):
            raise ZeroDivisionError("a secret")

        monkeypatch.setattr(ema_crossover, "ema_crossings", broken)

        assert executed(run).status == RunStatus.FAILED
        assert run.error_code == "strategy_failed"
        assert "broke in its signals: ZeroDivisionError in strategies.definitions" in (
            run.error_message
        )
        assert "secret" not in run.error_message
        assert "strategy.broke" in caplog.text

    def test_a_strategy_that_returns_garbage_fails_it(self, market, person, monkeypatch):
        run = make_run(person)
        garbage = Crossings(*(np.full(3, np.nan) for _ in range(3)))
        monkeypatch.setattr(ema_crossover, "ema_crossings", lambda *args: garbage)

        assert executed(run).status == RunStatus.FAILED
        assert run.error_code == "invalid_signals"
        assert "enter_long of shape 3" in run.error_message

    def test_a_worker_goes_on_after_a_broken_strategy(self, market, person, monkeypatch):
        with monkeypatch.context() as broken:
            nothing = SimpleNamespace(up=None, down=None, ready=None)
            broken.setattr(ema_crossover, "ema_crossings", lambda *args: nothing)
            assert executed(make_run(person)).error_code == "invalid_signals"

        assert executed(make_run(person)).status == RunStatus.DONE

    def test_a_bug_of_ours_fails_it_without_its_details(self, market, person, monkeypatch, caplog):
        run = make_run(person)

        def broken(*args, **options):
            raise ZeroDivisionError("a secret")

        monkeypatch.setattr(execution, "run_backtest", broken)

        assert executed(run).error_code == "internal_error"
        assert "secret" not in run.error_message
        assert "work.broke" in caplog.text

    def test_a_strategy_that_left_the_registry_fails_it(self, market, person, monkeypatch):
        run = make_run(person)
        monkeypatch.setattr(registry, "all_definitions", tuple)

        assert executed(run).error_code == "unknown_strategy"


class TestClaims:
    def during(self, monkeypatch, deed):
        """Do *deed* once, while the strategy is computed."""
        real = crossings.ema_crossings

        def interrupted(*args):
            monkeypatch.setattr(ema_crossover, "ema_crossings", real)
            deed()
            return real(*args)

        monkeypatch.setattr(ema_crossover, "ema_crossings", interrupted)

    def test_a_worker_whose_claim_was_lost_writes_nothing(self, market, person, monkeypatch):
        run = make_run(person)
        self.during(
            monkeypatch,
            lambda: BacktestRun.objects.filter(pk=run.pk).update(epoch=99),
        )

        executed(run)

        assert run.status == RunStatus.RUNNING
        assert not run.trades.exists()
        assert run.metrics == {}

    def test_a_slow_worker_that_was_taken_for_dead_brings_its_result(
        self, market, person, monkeypatch
    ):
        run = make_run(person)

        def sweep():
            BacktestRun.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
            runs.sweep(now=NOW)
            assert BacktestRun.objects.get().status == RunStatus.QUEUED

        self.during(monkeypatch, sweep)

        assert executed(run).status == RunStatus.DONE
        assert run.trades.exists()
        assert executed(run).attempts == 1

    def test_another_worker_that_took_the_run_meanwhile_is_the_one_that_counts(
        self, market, person, monkeypatch
    ):
        run = make_run(person)

        def take_over():
            BacktestRun.objects.update(status=RunStatus.QUEUED)
            execution.execute_run(run_id=run.pk)
            BacktestRun.objects.update(finished_at=NOW)

        self.during(monkeypatch, take_over)

        assert executed(run).status == RunStatus.DONE
        assert (run.attempts, run.finished_at) == (2, NOW)

    def test_a_wish_to_cancel_is_noticed(self, market, person, monkeypatch):
        run = make_run(person)
        self.during(
            monkeypatch,
            lambda: runs.cancel_run(run_id=run.pk, by=Actor.person(person.pk), now=NOW),
        )

        assert executed(run).status == RunStatus.CANCELED
        assert not run.trades.exists()

    def test_progress_renews_the_claim(self, market, person, monkeypatch):
        run = make_run(person)
        monkeypatch.setattr(claims, "_REPORT_S", 0.0)
        seen = []
        report = Claim.progress

        def recording(claim, fraction):
            report(claim, fraction)
            row = BacktestRun.objects.get(pk=run.pk)
            seen.append((row.progress, row.lease_until))

        monkeypatch.setattr(Claim, "progress", recording)

        executed(run)

        assert [progress for progress, _ in seen] == sorted(progress for progress, _ in seen)
        assert seen[0][0] == 0
        assert seen[-1][0] == 100
        assert all(lease and lease > timezone.now() + timedelta(seconds=1) for _, lease in seen)


def test_the_same_specification_gives_the_same_bytes(market):
    specification = specifications.specify(**wish(), now=NOW)

    first, second = trials.try_out(specification), trials.try_out(specification)

    assert first.metrics_json() == second.metrics_json()
    assert first.curve().to_bytes() == second.curve().to_bytes()
    assert first.trades() == second.trades()
