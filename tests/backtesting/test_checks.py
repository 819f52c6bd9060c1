"""Checks of strategies: what they find, and how a worker computes them."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded

from backtesting.domain.checks import check_strategy
from backtesting.domain.neighbors import neighbors_of
from backtesting.domain.verdicts import Verdict
from backtesting.models import RunStatus, StrategyCheck
from backtesting.selectors import checks as selectors
from backtesting.selectors import specifications as stored
from backtesting.selectors import usage
from backtesting.services import checking, checks, claims, specifications
from backtesting.tasks import execute_check, sweep_checks
from foundation.audit import Actor
from foundation.models import AuditEntry
from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.definitions import ema_crossover
from strategies.indicators import crossings
from strategies.registry import definition_of, get_definition
from strategies.signals import Signals
from tests.factories import exchanges as exchange_factory
from tests.factories.accounts import make_person
from tests.factories.backtesting import FIRST_AT, NOW, make_market, wish
from tests.factories.billing import with_plan
from tests.factories.checks import make_check, make_done_check
from tests.strategies.cheats import tomorrows_close, unclosed_higher_bar

pytestmark = pytest.mark.django_db

EMA = get_definition("ema-crossover")
BY = Actor.system("test")


@pytest.fixture
def market():
    return make_market()


@pytest.fixture
def person():
    return with_plan(make_person())


def report_of(module=None, **changes):
    """Return the report of the crossover, or of a cheat, on the swinging market."""
    specification = specifications.specify(**wish(**changes), now=NOW)
    if module is not None:
        cheat = definition_of(module)
        specification = replace(specification, definition=cheat, params=cheat.default_params())
    return check_strategy(specification, stored.candles_of(specification))


def result_of(report, check):
    return next(each for each in report.results if each.check == check)


class TestReport:
    def test_an_honest_strategy_fails_nothing(self, market):
        report = report_of()

        assert [each.check for each in report.results] == [
            *("REPEAT", "PREFIX", "FUTURE", "HIGHER", "WARM_UP"),
            *("COSTS", "PARAMETERS"),
        ]
        assert report.verdict in {Verdict.PASSED, Verdict.WARNING}
        assert all(each.trials for each in report.results)

    @pytest.mark.parametrize("module", [tomorrows_close, unclosed_higher_bar])
    def test_a_cheat_fails_with_the_first_bar_and_what_was_changed(self, market, module):
        report = report_of(module)

        prefix = result_of(report, "PREFIX")
        assert report.verdict is Verdict.FAILED
        assert prefix.verdict is Verdict.FAILED
        assert prefix.violation is not None
        said = prefix.to_json()["violation"]
        assert said["bar"] == prefix.violation.index
        assert said["at"].startswith("2024-01-")
        assert said["signal"] in prefix.sentence
        assert "bars alone" in said["changed"]

    def test_costs_are_doubled_and_tripled_and_shown(self, market):
        costs = result_of(report_of(), "COSTS")

        assert [row.label for row in costs.rows] == ["1 x", "2 x", "3 x"]
        assert costs.rows[2].change == "fees 30 / 30 bps, slippage 15 bps"
        returns = [row.values["total_return"] for row in costs.rows if row.values]
        assert returns == sorted(returns, reverse=True)
        assert len(set(returns)) == 3

    def test_the_costs_are_those_of_a_run_with_so_much_higher_ones(self, market):
        doubled = result_of(report_of(), "COSTS").rows[1]
        run = report_of(fee_bps=Decimal(20), slippage_bps=Decimal(10))

        assert doubled.values == result_of(run, "COSTS").rows[0].values

    def test_every_number_is_moved_both_ways(self, market):
        parameters = result_of(report_of(), "PARAMETERS")
        moved = {(row.label, row.change) for row in parameters.rows}

        assert {("Fast average", "5 to 4"), ("Fast average", "5 to 6")} <= moved
        assert {("Slow average", "20 to 18"), ("Slow average", "20 to 22")} <= moved
        assert {("Stop loss", "2 to 1.8"), ("Stop loss", "2 to 2.2")} <= moved
        assert ("Leverage", "1") in moved
        assert not any(label == "Cooldown" for label, _ in moved)

    def test_it_is_the_same_every_time_and_is_plain_json(self, market):
        assert json.dumps(report_of().to_json()) == json.dumps(report_of().to_json())

    def test_thin_margins_and_luck_are_warnings_that_say_so(self, market):
        costly = result_of(report_of(fee_bps=Decimal(150)), "COSTS")
        assert costly.verdict is Verdict.WARNING
        assert "is left of its return at" in costly.sentence

    def test_no_trade_is_no_evidence(self, market, monkeypatch):
        def silent(view, _params):
            no = np.zeros(len(view.candles), dtype=np.bool_)
            return Signals(no, no, no, no, ~no)

        specification = specifications.specify(**wish(), now=NOW)
        quiet = replace(specification, definition=replace(EMA, signals=silent))
        report = check_strategy(quiet, stored.candles_of(specification))

        assert result_of(report, "COSTS").verdict is Verdict.NOT_APPLICABLE
        assert result_of(report, "PARAMETERS").verdict is Verdict.NOT_APPLICABLE
        assert report.verdict is Verdict.PASSED


class TestNeighbors:
    def test_what_does_not_fit_together_says_why(self):
        params = EMA.params.model_validate({"short_ema_period": 19, "long_ema_period": 20})

        found = {each.change: each for each in neighbors_of(EMA, params)}

        assert found["19 to 21"].params is None
        assert "must be shorter than" in found["19 to 21"].reason
        assert found["19 to 17"].params is not None

    def test_each_differs_in_one_parameter_only(self):
        params = EMA.default_params()

        for neighbor in neighbors_of(EMA, params):
            if neighbor.params is not None:
                before, after = params.model_dump(), neighbor.params.model_dump()
                assert [name for name in before if before[name] != after[name]] == [neighbor.name]


class TestRequest:
    def test_a_worker_stores_the_whole_report(self, market, person):
        check = make_done_check(person)

        assert check.status == RunStatus.DONE
        assert check.results == json.loads(json.dumps(report_of().to_json()))
        assert check.verdict == report_of().verdict
        assert (check.bar_count, check.progress) == (600, 100)
        assert len(check.data_fingerprint) == 64
        assert check.strategy_version.strategy.slug == "ema-crossover"

    def test_the_same_wish_while_one_waits_is_the_same_check(self, market, person):
        first, second = make_check(person), make_check(person)

        assert first.pk == second.pk
        assert AuditEntry.objects.filter(verb="check.requested").count() == 1

    def test_a_finished_one_is_done_anew(self, market, person):
        first = make_done_check(person)
        again = checks.repeat_check(check_id=first.pk, by=BY, now=NOW)
        checking.execute_check(check_id=again.pk)
        again.refresh_from_db()

        assert again.pk != first.pk
        assert (again.parameters, again.results) == (first.parameters, first.results)

    def test_it_counts_as_a_backtest_of_the_day(self, market, person):
        make_check(person)

        assert usage.count_runs_today(person.pk, NOW) == 1

    def test_too_many_at_once_are_refused(self, market, person, monkeypatch):
        monkeypatch.setattr(checks, "MAXIMUM_UNFINISHED", 1)
        make_check(person)

        with pytest.raises(checks.TooManyChecksError):
            make_check(person, parameters={"short_ema_period": 6})
        assert StrategyCheck.objects.count() == 1

    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            (
                {"parameters": {"short_ema_period": 1}},
                "parameters.short_ema_period",
                "out_of_range",
            ),
            ({"market": "binance:DOGE/USDT"}, "market", "unknown_symbol"),
            ({"timeframe": "7m"}, "timeframe", "invalid_timeframe"),
            ({"from_at": NOW, "to_at": NOW + timedelta(days=1)}, "to", "in_future"),
            ({"from_at": FIRST_AT - timedelta(days=9), "to_at": FIRST_AT}, "from", "no_candles"),
            ({"from_at": NOW - timedelta(hours=2), "to_at": NOW}, "from", "no_candles"),
            ({"from_at": FIRST_AT + timedelta(days=20)}, "from", "too_few_bars_or_none"),
            ({"strategy_slug": "gone"}, "strategy", "unknown_strategy"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_cannot_be_checked_is_refused_with_a_code(self, market, change, field, code):
        wanted = {name: value for name, value in wish(**change).items() if name != "capital"}
        if code == "too_few_bars_or_none":
            wanted["to_at"], code = wanted["from_at"] + timedelta(hours=50), "too_few_bars"

        with pytest.raises(InvalidInputError) as caught:
            checks.specify(**wanted, now=NOW)

        assert [(each.field, each.code) for each in caught.value.problems] == [(field, code)]

    def test_a_window_that_is_too_long_is_refused(self, market, monkeypatch):
        monkeypatch.setattr(checks, "MAXIMUM_BARS", 599)
        with pytest.raises(InvalidInputError) as caught:
            checks.specify(**wish(), now=NOW)
        assert caught.value.problems[0].code == "too_many_bars"


class TestWorker:
    def test_a_second_message_changes_nothing(self, market, person):
        check = make_done_check(person)
        execute_check(check_id=check.pk)

        assert StrategyCheck.objects.get().version == check.version

    @pytest.mark.parametrize(
        ("raises", "code", "words"),
        [
            (ZeroDivisionError("secret"), "strategy_failed", "broke in its signals"),
            (SoftTimeLimitExceeded(), "time_limit", "too long"),
        ],
    )
    def test_a_failure_is_told_and_the_worker_goes_on(
        self, market, person, monkeypatch, raises, code, words
    ):
        def broken(*_):
            raise raises

        check = make_check(person)
        with monkeypatch.context() as patch:
            patch.setattr(ema_crossover, "ema_crossings", broken)
            checking.execute_check(check_id=check.pk)
        check.refresh_from_db()

        assert (check.status, check.error_code) == (RunStatus.FAILED, code)
        assert words in check.error_message
        assert "secret" not in check.error_message
        assert make_done_check(person).status == RunStatus.DONE

    def test_candles_that_changed_after_the_request_fail_it(self, market, person):
        check = make_check(person)
        bar = exchange_factory.make_candles([1.0, 31_000.0]).slice(1, 2)
        exchange_factory.store_candles(market, Timeframe.H1, bar)
        checking.execute_check(check_id=check.pk)
        check.refresh_from_db()

        assert check.error_code == "candles_changed"

    def test_a_wish_to_cancel_is_noticed_on_the_way(self, market, person, monkeypatch):
        check = make_check(person)
        monkeypatch.setattr(claims, "_REPORT_S", 0.0)
        real = crossings.ema_crossings

        def interrupted(*arguments):
            row = StrategyCheck.objects.get()
            if row.status == RunStatus.RUNNING and not row.cancel_requested:
                checks.cancel_check(check_id=row.pk, by=BY, now=NOW)
            return real(*arguments)

        monkeypatch.setattr(ema_crossover, "ema_crossings", interrupted)
        checking.execute_check(check_id=check.pk)
        check.refresh_from_db()

        assert check.status == RunStatus.CANCELED
        assert check.results == []

    def test_a_waiting_one_is_canceled_at_once_and_only_once(self, market, person):
        check = make_check(person)
        checks.cancel_check(check_id=check.pk, by=BY, now=NOW)
        execute_check(check_id=check.pk)

        assert StrategyCheck.objects.get().status == RunStatus.CANCELED
        with pytest.raises(checks.CheckFinishedError):
            checks.cancel_check(check_id=check.pk, by=BY, now=NOW)

    def test_a_lost_one_is_sent_again_and_in_the_end_given_up(self, market, person):
        check = make_check(person)
        rows = StrategyCheck.objects.filter(pk=check.pk)
        rows.update(status=RunStatus.RUNNING, attempts=1, lease_until=NOW - timedelta(days=365))

        sweep_checks()
        assert rows.get().status == RunStatus.QUEUED
        rows.update(attempts=3, lease_until=NOW - timedelta(days=365))
        assert checks.sweep_checks(now=NOW) == 1

        assert (rows.get().status, rows.get().error_code) == (RunStatus.FAILED, "gave_up")

    def test_a_worker_whose_claim_was_lost_writes_nothing(self, market, person, monkeypatch):
        check = make_check(person)
        real = crossings.ema_crossings

        def interrupted(*arguments):
            StrategyCheck.objects.update(epoch=99)
            return real(*arguments)

        monkeypatch.setattr(ema_crossover, "ema_crossings", interrupted)
        monkeypatch.setattr(claims, "_REPORT_S", 1e9)
        checking.execute_check(check_id=check.pk)

        assert StrategyCheck.objects.get().results == []


class TestPublished:
    def test_everybody_sees_the_newest_of_the_present_version(self, market, person):
        make_done_check(person)
        version = StrategyCheck.objects.get().strategy_version
        assert selectors.published_check(version) is None

        make_done_check(person, is_published=True)
        later = make_done_check(person, is_published=True, parameters={"short_ema_period": 8})

        assert selectors.published_check(version) == later
