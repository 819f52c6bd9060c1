"""Requests for runs: what is stored, what is refused, what is canceled and swept."""

from datetime import UTC, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from celery import current_app
from django.utils import timezone

from backtesting.models import BacktestRun, RunStatus
from backtesting.services import execution, runs, specifications
from foundation.audit import Actor
from foundation.models import AuditEntry
from market.errors import InvalidInputError
from market.timeframes import HOUR_MS, Timeframe, to_milliseconds
from tests.factories import exchanges as exchange_factory
from tests.factories.accounts import make_person
from tests.factories.backtesting import (
    END_AT,
    FIRST_AT,
    NOW,
    make_done_run,
    make_market,
    make_run,
    swinging_closes,
    wish,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def market():
    return make_market()


@pytest.fixture
def person():
    return make_person()


def problems_of(**changes) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        specifications.specify(**wish(**changes), now=NOW)
    return {problem.field: problem.code for problem in caught.value.problems}


class TestRequestRun:
    def test_it_waits_with_everything_that_its_result_depends_on(self, market, person):
        run = make_run(person)

        assert run.status == RunStatus.QUEUED
        assert run.owner == person
        assert run.parameters == {
            "short_ema_period": 5,
            "long_ema_period": 20,
            "risk_per_trade_percent": 1.0,
            "stop_loss_percent": 2.0,
            "take_profit_percent": 4.0,
            "direction": "BOTH",
            "leverage": 1,
            "max_trades_per_day": 0,
            "cooldown_bars": 0,
        }
        assert (run.maker_fee_bps, run.taker_fee_bps) == (Decimal(10), Decimal(10))
        assert run.tick_size == Decimal("0.01")
        assert (run.from_at, run.to_at) == (FIRST_AT, END_AT)
        assert len(run.spec_hash) == 64

    def test_it_is_audited_and_a_worker_is_sent_for(
        self, market, person, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks() as callbacks:
            run = make_run(person)

        entry = AuditEntry.objects.get(verb="backtest.requested")
        assert entry.target_identifier == str(run.public_id)
        assert entry.actor_identifier == str(person.pk)
        assert len(callbacks) == 1
        assert "backtesting.execute_run" in current_app.tasks

    def test_the_same_request_returns_the_same_run(self, market, person):
        first = make_run(person)
        second = make_run(person, now=NOW + timedelta(hours=1))

        assert second.pk == first.pk
        assert second.requested_at == NOW
        assert BacktestRun.objects.count() == 1

    def test_a_window_written_in_another_zone_is_the_same_window(self, market, person):
        paris = ZoneInfo("Europe/Paris")

        first = make_run(person)
        second = make_run(person, from_at=FIRST_AT.astimezone(paris))

        assert second.pk == first.pk

    @pytest.mark.parametrize(
        "change",
        [
            {"parameters": {"short_ema_period": 6}},
            {"capital": Decimal(10_001)},
            {"fee_bps": Decimal(9)},
            {"slippage_bps": Decimal(0)},
            {"to_at": END_AT - timedelta(hours=1)},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_any_other_specification_is_another_run(self, market, person, change):
        assert make_run(person).pk != make_run(person, **change).pk

    def test_zeros_behind_the_point_do_not_make_another_run(self, market, person):
        assert make_run(person).pk == make_run(person, capital=Decimal("10000.00")).pk

    def test_another_person_gets_a_run_of_their_own(self, market, person):
        other = make_run(make_person("bea@example.com"))

        assert other.pk != make_run(person).pk

    def test_a_failed_run_does_not_answer_a_repeat(self, market, person):
        first = make_run(person)
        BacktestRun.objects.filter(pk=first.pk).update(status=RunStatus.FAILED)

        assert make_run(person).pk != first.pk

    def test_changed_candles_make_another_run(self, market, person):
        first = make_done_run(person)
        bar = exchange_factory.make_candles([1.0, 31_000.0])
        exchange_factory.store_candles(market, Timeframe.H1, bar.slice(1, 2))

        assert make_run(person).pk != first.pk

    def test_too_many_unfinished_runs_are_refused(self, market, person, monkeypatch):
        monkeypatch.setattr(runs, "MAXIMUM_UNFINISHED", 1)
        make_run(person)

        with pytest.raises(runs.TooManyRunsError):
            make_run(person, capital=Decimal(1))

        assert BacktestRun.objects.count() == 1

    def test_it_refuses_to_run_inside_a_transaction(self, market, person):
        assert runs.request_run.__wrapped__  # type: ignore[attr-defined]  # of functools.wraps


class TestRefusals:
    def test_everything_is_refused_at_once(self, market):
        found = problems_of(
            strategy_slug="ema-crosover",
            market="binance:BTC/USDX",
            timeframe="7h",
            from_at=END_AT,
            to_at=FIRST_AT,
            capital=Decimal(0),
            fee_bps=Decimal(-1),
            slippage_bps=Decimal("0.00001"),
        )

        assert found == {
            "strategy": "unknown_strategy",
            "market": "unknown_symbol",
            "timeframe": "invalid_timeframe",
            "to": "range_inverted",
            "capital": "out_of_range",
            "fee_bps": "out_of_range",
            "slippage_bps": "invalid_decimal",
        }

    @pytest.mark.parametrize(
        ("strategy", "words"),
        [("opening-range", "a bar that begins at 13:30 UTC"), ("premarket-breakout", "13:30 UTC")],
    )
    def test_bars_that_do_not_suit_the_strategy_are_refused(self, market, strategy, words):
        changes = {"strategy_slug": strategy, "parameters": {}}

        assert problems_of(**changes) == {"timeframe": "unsuitable_timeframe"}
        with pytest.raises(InvalidInputError, match=words):
            specifications.specify(**wish(**changes), now=NOW)

    def test_a_session_at_a_full_hour_suits_hours(self, market):
        parameters = {"orb_hour": 10, "orb_minute": 0}

        specification = specifications.specify(
            **wish(strategy_slug="opening-range", parameters=parameters), now=NOW
        )

        assert specification.warm_up_bars == 26

    def test_a_warm_up_that_the_candles_do_not_have_is_refused(self, market):
        found = problems_of(strategy_slug="cpr-daily", parameters={})

        assert found == {"from": "window_too_short"}

    def test_parameters_are_refused_beside_the_rest(self, market):
        found = problems_of(
            parameters={"short_ema_period": 1, "fast": 2, "long_ema_period": "20"},
            capital=Decimal(-4),
        )

        assert found == {
            "parameters.short_ema_period": "out_of_range",
            "parameters.fast": "unknown_field",
            "parameters.long_ema_period": "wrong_type",
            "capital": "out_of_range",
        }

    def test_the_nearest_strategy_and_symbol_are_named(self, market):
        with pytest.raises(InvalidInputError, match=r"Did you mean ema-crossover\?.*BTC/USDT"):
            specifications.specify(
                **wish(strategy_slug="ema-crosover", market="binance:BTC/USDD"), now=NOW
            )

    @pytest.mark.parametrize(
        ("changes", "field", "code"),
        [
            ({"to_at": NOW + timedelta(seconds=1)}, "to", "in_future"),
            ({"to_at": FIRST_AT}, "to", "range_inverted"),
            ({"market": "BTC/USDT"}, "market", "invalid_market"),
            ({"market": "kraken:BTC/USDT"}, "market", "unknown_venue"),
            ({"timeframe": "4h"}, "from", "no_candles"),
            (
                {"from_at": FIRST_AT - timedelta(days=9), "to_at": FIRST_AT},
                "from",
                "no_candles",
            ),
            ({"to_at": FIRST_AT + timedelta(hours=101)}, "from", "window_too_short"),
            ({"capital": Decimal("NaN")}, "capital", "out_of_range"),
            ({"capital": Decimal("1e30")}, "capital", "out_of_range"),
            ({"fee_bps": Decimal(1_001)}, "fee_bps", "out_of_range"),
        ],
    )
    def test_each_has_a_code_at_its_field(self, market, changes, field, code):
        assert problems_of(**changes) == {field: code}

    def test_too_many_bars_are_refused_before_anything_is_read(self, market, monkeypatch):
        monkeypatch.setattr(specifications, "MAXIMUM_BARS", 500)

        assert problems_of() == {"from": "too_many_bars"}

    def test_text_parameters_are_read_as_what_they_have_to_be(self, market):
        found = specifications.specify(
            **wish(parameters={"short_ema_period": " 5 "}), parameters_are_text=True, now=NOW
        )

        assert found.params.model_dump()["short_ema_period"] == 5

    def test_nothing_is_stored(self, market, person):
        with pytest.raises(InvalidInputError):
            make_run(person, capital=Decimal(-1))

        assert not BacktestRun.objects.exists()
        assert not AuditEntry.objects.filter(verb="backtest.requested").exists()


class TestCancel:
    def test_a_waiting_run_ends_at_once(self, market, person):
        run = make_run(person)

        canceled = runs.cancel_run(run_id=run.pk, by=Actor.person(person.pk), now=NOW)

        assert canceled.status == RunStatus.CANCELED
        execution.execute_run(run_id=run.pk)
        run.refresh_from_db()
        assert run.status == RunStatus.CANCELED

    def test_a_running_one_is_asked_to_stop(self, market, person):
        run = make_run(person)
        BacktestRun.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING)

        canceled = runs.cancel_run(run_id=run.pk, by=Actor.person(person.pk), now=NOW)

        assert canceled.status == RunStatus.RUNNING
        assert canceled.cancel_requested

    def test_a_finished_one_is_over(self, market, person):
        run = make_done_run(person)

        with pytest.raises(runs.RunFinishedError, match="done"):
            runs.cancel_run(run_id=run.pk, by=Actor.person(person.pk), now=NOW)


class TestSweep:
    def overdue(self, person, **fields) -> BacktestRun:
        run = make_run(person)
        past = timezone.now() - timedelta(seconds=1)
        BacktestRun.objects.filter(pk=run.pk).update(lease_until=past, **fields)
        return run

    def swept(self, run: BacktestRun) -> BacktestRun:
        runs.sweep(now=NOW)
        run.refresh_from_db()
        return run

    def test_a_lost_message_is_sent_again_once(
        self, market, person, django_capture_on_commit_callbacks
    ):
        run = self.overdue(person)

        with django_capture_on_commit_callbacks() as callbacks:
            assert runs.sweep(now=NOW) == 1
            assert runs.sweep(now=NOW) == 0

        assert len(callbacks) == 1
        run.refresh_from_db()
        assert run.status == RunStatus.QUEUED

    def test_a_run_whose_worker_died_waits_again(self, market, person):
        run = self.swept(self.overdue(person, status=RunStatus.RUNNING, attempts=1, progress=40))

        assert run.status == RunStatus.QUEUED
        assert run.progress == 0

    def test_after_three_lost_workers_it_is_given_up(self, market, person):
        run = self.swept(self.overdue(person, status=RunStatus.RUNNING, attempts=3))

        assert run.status == RunStatus.FAILED
        assert run.error_code == "gave_up"

    def test_a_canceled_one_whose_worker_died_is_canceled(self, market, person):
        run = self.swept(
            self.overdue(person, status=RunStatus.RUNNING, attempts=1, cancel_requested=True)
        )

        assert run.status == RunStatus.CANCELED

    def test_runs_in_good_hands_are_left_alone(self, market, person):
        make_run(person)

        assert runs.sweep(now=NOW) == 0


def test_a_longer_history_moves_the_effective_start_forward_not_the_window(person):
    make_market()
    from_at = FIRST_AT + timedelta(hours=200)

    run = make_done_run(person, from_at=from_at)

    assert run.effective_from_at == from_at
    assert run.bar_count == 400


def test_the_effective_start_comes_after_the_warm_up(person):
    make_market()

    run = make_done_run(person)

    assert run.effective_from_at == FIRST_AT + timedelta(hours=100)
    assert run.bar_count == len(swinging_closes()) - 100
    assert to_milliseconds(run.effective_from_at) % HOUR_MS == 0
    assert run.effective_from_at.tzinfo is UTC
