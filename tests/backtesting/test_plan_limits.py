"""What a person's plan says about backtests."""

from datetime import UTC, datetime, timedelta

import pytest

from backtesting.models import BacktestRun
from backtesting.selectors.usage import count_runs_today
from billing.models import Plan
from billing.services import products
from billing.services.entitlements import Limit, PlanLimitError
from tests.backtesting.test_api import REQUEST, RUNS
from tests.backtesting.test_pages import FORM, NEW
from tests.factories.accounts import make_person
from tests.factories.backtesting import FIRST_AT, NOW, make_market, make_run
from tests.factories.billing import with_plan

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime(2024, 6, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def person():
    make_market()
    products.sync_plans(now=NOW)
    return make_person()


def allow(**limits: int) -> None:
    """Change the free plan, as an operator does."""
    Plan.objects.filter(is_default=True).update(**limits)


def run_number(person, number: int, *, now=NOW) -> BacktestRun:
    return make_run(person, now=now, parameters={"short_ema_period": 2 + number})


class TestRunsOfADay:
    def test_one_more_than_allowed_is_refused_and_leaves_nothing(self, person):
        allow(backtests_per_day=2)
        for number in range(2):
            run_number(person, number)

        with pytest.raises(PlanLimitError, match="allows 2 backtests a day, and you have 2"):
            run_number(person, 2)

        assert BacktestRun.objects.count() == 2

    def test_asking_again_for_the_same_counts_for_nothing(self, person):
        allow(backtests_per_day=1)
        first = run_number(person, 0)

        assert run_number(person, 0, now=NOW + SECOND) == first
        assert count_runs_today(person.pk, NOW) == 1

    def test_at_midnight_utc_it_starts_again(self, person):
        allow(backtests_per_day=1)
        run_number(person, 0, now=MIDNIGHT - SECOND)
        with pytest.raises(PlanLimitError):
            run_number(person, 1, now=MIDNIGHT - SECOND)

        run_number(person, 1, now=MIDNIGHT)

        assert count_runs_today(person.pk, MIDNIGHT) == 1

    def test_everybody_has_days_of_their_own(self, person):
        allow(backtests_per_day=1)
        run_number(make_person("grace@example.com"), 0)

        run_number(person, 0)

    def test_a_larger_plan_allows_more(self, person):
        allow(backtests_per_day=0)

        run_number(with_plan(person), 0)


class TestBarsOfARun:
    def test_a_window_of_more_bars_is_refused(self, person):
        allow(bars_per_run=500)

        with pytest.raises(PlanLimitError, match="500 bars in one backtest; this one has 501") as e:
            make_run(person, to_at=FIRST_AT + timedelta(hours=501))
        assert (e.value.limit, e.value.asked) == (Limit.BARS_PER_RUN, 501)

        make_run(person, to_at=FIRST_AT + timedelta(hours=500))


class TestHowItIsTold:
    def test_the_form_keeps_its_entries_and_leads_to_the_usage_page(self, client, person):
        allow(backtests_per_day=0)
        client.force_login(person)

        answer = client.post(NEW, FORM)

        page = answer.content.decode()
        assert answer.status_code == 402
        assert "has no backtests a day" in page
        assert 'href="/billing/usage/"' in page
        assert 'value="10000"' in page

    def test_the_api_names_the_limit(self, client, person):
        allow(backtests_per_day=0)
        client.force_login(person)

        answer = client.post(RUNS, REQUEST, content_type="application/json")

        problem = answer.json()
        assert answer.status_code == 402
        assert answer["Content-Type"] == "application/problem+json"
        assert problem["code"] == "plan_limit_reached"
        assert [(error["field"], error["code"]) for error in problem["errors"]] == [
            ("backtests_per_day", "plan_limit_reached")
        ]
