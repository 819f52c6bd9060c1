"""The life of a sweep: requested, canceled, looked after and deleted, within the limits."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from backtesting.domain import axes
from backtesting.models import ChunkStatus, RunStatus, Sweep, SweepChunk
from backtesting.selectors import sweeps as selectors
from backtesting.selectors.usage import count_runs_today
from backtesting.services import chunks, claims, execution, sweep_plans, sweeps
from backtesting.services.specifications import InvalidRunError
from billing.models import Plan
from billing.services import products
from billing.services.entitlements import Limit, PlanLimitError
from foundation.audit import Actor
from foundation.models import AuditEntry
from tests.factories import backtesting as run_factory
from tests.factories.accounts import make_person
from tests.factories.billing import with_plan
from tests.factories.sweeps import NOW, best_of, make_done_sweep, make_sweep, work_through

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture
def person():
    run_factory.make_market()
    products.sync_plans(now=NOW)
    return make_person()


def problems_of(person, **changes):
    with pytest.raises(InvalidRunError) as caught:
        make_sweep(person, **changes)
    assert not Sweep.objects.exists()
    return {(problem.field, problem.code) for problem in caught.value.problems}


class TestRequest:
    def test_it_waits_with_all_of_its_points(self, person):
        sweep = make_sweep(person)
        chunk = sweep.chunks.get()

        assert (sweep.status, sweep.owner, chunk.owner) == (RunStatus.QUEUED, person, person)
        assert (sweep.trials_asked, sweep.trials_planned, sweep.trials_done) == (9, 9, 0)
        assert (chunk.first_trial, chunk.trial_count) == (1, 9)
        points = list(zip(*chunk.points.values(), strict=True))
        assert set(points) == {(fast, target) for fast in (5, 7, 9) for target in (2.0, 4.0, 8.0)}
        assert AuditEntry.objects.filter(verb="sweep.requested").count() == 1

    def test_values_that_do_not_fit_together_are_left_out_and_counted(self, person):
        space = {"short_ema_period": "5,15,25", "long_ema_period": "10,20"}
        sweep = make_sweep(person, space=space)

        assert (sweep.trials_asked, sweep.trials_planned) == (6, 3)

    def test_workers_are_sent_for_but_not_one_for_each_chunk(
        self, person, monkeypatch, django_capture_on_commit_callbacks
    ):
        monkeypatch.setattr(sweeps, "_CHUNK_TRIALS", 1)
        with django_capture_on_commit_callbacks() as sent:
            make_sweep(person)
        with django_capture_on_commit_callbacks() as guided:
            make_sweep(person, method="GUIDED", trials=200, space={"take_profit_percent": "1:9"})

        assert (len(sent), len(guided)) == (4, 1)

    def test_an_equal_one_is_the_same_one(self, person):
        first = make_sweep(person)
        again = make_sweep(person, now=NOW + SECOND)

        assert again == first
        assert again.requested_at == NOW
        assert make_sweep(person, objective="calmar") != first
        assert make_sweep(make_person("grace@example.com")) != first

    def test_a_seed_decides_random_trials(self, person):
        def points(seed):
            sweep = make_sweep(
                person, method="RANDOM", trials=20, seed=seed, space={"take_profit_percent": "1:9"}
            )
            return sweep.chunks.get().points

        assert points(1) == points(1)
        assert points(1) != points(2)

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"method": "MAGIC"}, {("method", "invalid_choice")}),
            ({"objective": "luck"}, {("objective", "invalid_choice")}),
            ({"method": "RANDOM", "trials": 0}, {("trials", "out_of_range")}),
            ({"method": "RANDOM", "trials": 100_001}, {("trials", "sweep_too_large")}),
            ({"method": "GUIDED", "trials": 2_001}, {("trials", "sweep_too_large")}),
            ({"least_trades": -1}, {("least_trades", "out_of_range")}),
            ({"seed": -1}, {("seed", "out_of_range")}),
            ({"space": {}}, {("space", "required")}),
            ({"strategy_slug": "nothing"}, {("strategy", "unknown_strategy")}),
            ({"market": "binance:NO/PE"}, {("market", "unknown_symbol")}),
            ({"timeframe": "7h"}, {("timeframe", "invalid_timeframe")}),
            ({"capital": Decimal(-1)}, {("capital", "out_of_range")}),
            (
                {"parameters": {"stop_loss_percent": 900.0}},
                {("parameters.stop_loss_percent", "out_of_range")},
            ),
            (
                {"parameters": {"short_ema_period": 5}},
                {("space.short_ema_period", "given_twice")},
            ),
            (
                {"space": {"short_ema_period": "50:60:5"}},
                {("space", "no_combination")},
            ),
            (
                {"space": {"short_ema_period": "5:9:2", "take_profit_percent": "1:2:0.00005"}},
                {("space.take_profit_percent", "too_many_values")},
            ),
        ],
    )
    def test_nonsense_is_refused_with_its_code(self, person, changes, expected):
        assert problems_of(person, **changes) >= expected

    def test_all_problems_come_at_once(self, person):
        found = problems_of(
            person,
            market="nowhere",
            objective="luck",
            capital=Decimal(0),
            space={"short_ema_period": "1:9:1", "nothing": "1:2"},
            parameters={"stop_loss_percent": "x"},
        )

        assert {field for field, _ in found} == {
            "market",
            "objective",
            "capital",
            "space.short_ema_period",
            "space.nothing",
            "parameters.stop_loss_percent",
        }


class TestTooLarge:
    def test_a_grid_with_too_many_points_names_the_limit(self, person):
        space = {"short_ema_period": "2:90", "long_ema_period": "5:200", "leverage": "1:20"}

        with pytest.raises(
            InvalidRunError, match=r"348,880 combinations, at most 100,000"
        ) as caught:
            make_sweep(person, space=space)
        assert [problem.code for problem in caught.value.problems] == ["sweep_too_large"]

    def test_too_many_bars_in_all_are_refused(self, person, monkeypatch):
        monkeypatch.setattr(sweep_plans, "MAXIMUM_WORK_BARS", 5_000)

        with pytest.raises(
            InvalidRunError, match=r"9 trials over 600 bars are 5,400 bars; at most"
        ):
            make_sweep(person)

    def test_a_continuous_parameter_needs_a_step_in_a_grid(self, person, monkeypatch):
        # As for a strategy that declares none.
        monkeypatch.setattr(axes, "_step", lambda info, said: None)

        space = {"take_profit_percent": {"from": 1.0, "to": 9.0}}
        assert problems_of(person, space=space) == {("space.take_profit_percent", "step_required")}

    def test_the_plan_limits_trials(self, person):
        Plan.objects.filter(is_default=True).update(trials_per_sweep=8)

        with pytest.raises(PlanLimitError, match="8 trials in one sweep; this one has 9") as caught:
            make_sweep(person)
        assert caught.value.limit == Limit.TRIALS_PER_SWEEP
        assert not Sweep.objects.exists()
        make_sweep(with_plan(person))

    def test_the_plan_limits_bars_and_counts_a_sweep_as_a_backtest(self, person):
        Plan.objects.filter(is_default=True).update(bars_per_run=599)
        with pytest.raises(PlanLimitError, match="599 bars"):
            make_sweep(person)

        Plan.objects.filter(is_default=True).update(bars_per_run=600, backtests_per_day=1)
        make_sweep(person)
        assert count_runs_today(person.pk, NOW) == 1
        with pytest.raises(PlanLimitError, match="1 backtest a day"):
            make_sweep(person, seed=2)
        with pytest.raises(PlanLimitError, match="1 backtest a day"):
            run_factory.make_run(person)

    def test_a_person_has_a_few_unfinished_ones(self, person, monkeypatch):
        monkeypatch.setattr(sweeps, "MAXIMUM_UNFINISHED", 1)
        make_sweep(person)

        with pytest.raises(sweeps.TooManySweepsError):
            make_sweep(person, seed=2)
        assert Sweep.objects.count() == 1


class TestCancel:
    def cancel(self, sweep):
        by = Actor.person(sweep.owner_id)
        return sweeps.cancel_sweep(sweep_id=sweep.pk, by=by, now=NOW)

    def test_a_waiting_one_ends_at_once_and_nobody_works_on_it(self, person):
        sweep = make_sweep(person)

        assert self.cancel(sweep).status == RunStatus.CANCELED
        assert work_through(sweep).trials_done == 0

    def test_one_that_a_worker_is_at_is_only_asked_to_stop(self, person):
        sweep = make_sweep(person)
        sweep.chunks.update(status=ChunkStatus.RUNNING)
        Sweep.objects.update(status=RunStatus.RUNNING)

        canceled = self.cancel(sweep)

        assert (canceled.status, canceled.cancel_requested) == (RunStatus.RUNNING, True)

    def test_a_finished_one_is_refused(self, person):
        with pytest.raises(sweeps.SweepFinishedError):
            self.cancel(make_done_sweep(person))


class TestDelete:
    def delete(self, sweep):
        sweeps.delete_sweep(sweep_id=sweep.pk, by=Actor.person(sweep.owner_id), now=NOW)

    def test_its_trials_are_gone_and_it_still_counts_for_its_day(self, person):
        sweep = make_done_sweep(person)

        self.delete(sweep)

        assert not SweepChunk.objects.exists()
        assert not selectors.sweeps_for(person).exists()
        assert count_runs_today(person.pk, NOW) == 1
        assert make_sweep(person, now=NOW + SECOND) != sweep

    def test_an_unfinished_one_is_refused(self, person):
        with pytest.raises(sweeps.SweepUnfinishedError):
            self.delete(make_sweep(person))

    def test_two_days_later_it_is_forgotten(self, person):
        self.delete(make_done_sweep(person))

        assert sweeps.purge_deleted(now=NOW + timedelta(days=1)) == 0
        assert sweeps.purge_deleted(now=NOW + timedelta(days=3)) == 1
        assert not Sweep.objects.exists()


class TestLookAfter:
    def overdue(self):
        past = timezone.now() - timedelta(minutes=1)
        Sweep.objects.update(lease_until=past)
        SweepChunk.objects.filter(status=ChunkStatus.RUNNING).update(lease_until=past)

    def test_a_lost_message_is_sent_again(self, person, django_capture_on_commit_callbacks):
        make_sweep(person)
        self.overdue()

        with django_capture_on_commit_callbacks() as sent:
            assert sweeps.look_after_sweeps(now=NOW) == 1

        assert len(sent) == 1
        assert sweeps.look_after_sweeps(now=NOW) == 0

    def test_the_chunk_of_a_lost_worker_waits_again(self, person):
        sweep = make_sweep(person)
        assert chunks._claim(sweep_id=sweep.pk, now=NOW) is not None
        assert sweeps.look_after_sweeps(now=NOW) == 0
        SweepChunk.objects.update(lease_until=timezone.now() - SECOND)

        assert sweeps.look_after_sweeps(now=NOW) == 1

        assert work_through(sweep).status == RunStatus.DONE
        assert sweep.chunks.get().attempts == 2

    def test_a_chunk_on_which_workers_die_ends_it(self, person):
        sweep = make_sweep(person)
        for _ in range(claims.MAXIMUM_ATTEMPTS):
            assert chunks._claim(sweep_id=sweep.pk, now=NOW) is not None
            self.overdue()
            sweeps.look_after_sweeps(now=NOW)

        sweep.refresh_from_db()
        assert (sweep.status, sweep.error_code) == (RunStatus.FAILED, "gave_up")

    def test_a_canceled_one_whose_worker_is_lost_ends(self, person):
        sweep = make_sweep(person)
        chunks._claim(sweep_id=sweep.pk, now=NOW)
        sweeps.cancel_sweep(sweep_id=sweep.pk, by=Actor.person(person.pk), now=NOW)
        self.overdue()

        sweeps.look_after_sweeps(now=NOW)

        sweep.refresh_from_db()
        assert sweep.status == RunStatus.CANCELED


class TestRunTrial:
    def run(self, person, sweep, number):
        by = Actor.person(person.pk)
        sweep = selectors.get_sweep_for(person, public_id=sweep.public_id)
        return sweeps.run_trial(owner=person, sweep=sweep, number=number, by=by, now=NOW)

    def test_the_best_trial_becomes_a_backtest_with_the_same_figures(self, person):
        sweep = make_done_sweep(person)

        run = self.run(person, sweep, best_of(sweep)["number"])
        execution.execute_run(run_id=run.pk)

        run.refresh_from_db()
        values = run.metrics["values"]
        assert {key: values[key] for key in best_of(sweep)["figures"]} == best_of(sweep)["figures"]
        assert run.parameters["stop_loss_percent"] == 3.0

    def test_a_trial_that_is_not_there_is_not_found(self, person):
        for number in (0, 10):
            with pytest.raises(selectors.TrialNotFoundError):
                self.run(person, make_done_sweep(person), number)
