"""Runs side by side, and what is written on them, through the JSON API."""

from decimal import Decimal
from uuid import uuid4

import pytest

from backtesting import comparison
from backtesting.selectors import runs as selectors
from tests.factories.accounts import make_person
from tests.factories.backtesting import make_done_run, make_market, make_run

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/backtests"


@pytest.fixture
def person():
    return make_person()


@pytest.fixture
def api(client, person):
    make_market()
    client.force_login(person)
    return client


def compared(api, *runs):
    ids = ",".join(str(getattr(run, "public_id", run)) for run in runs)
    return api.get(f"{RUNS}/compare?ids={ids}")


class TestCompare:
    def test_the_best_of_each_figure_is_marked(self, api, person):
        runs = [
            make_done_run(person, parameters={"risk_per_trade_percent": percent})
            for percent in (0.5, 2.0, 1.0)
        ]

        answer = compared(api, *runs).json()

        figures = {figure["key"]: figure for figure in answer["figures"]}
        assert [run["id"] for run in answer["runs"]] == [str(run.public_id) for run in runs]
        gains = figures["total_return"]["values"]
        assert gains == [run.metrics["values"]["total_return"] for run in runs]
        assert figures["total_return"]["best"] == [gains.index(max(gains))]
        fees = figures["fees"]["values"]
        assert figures["fees"]["best"] == [fees.index(min(fees))]
        assert figures["bars"]["best"] == []

    def test_equal_figures_have_no_best(self, api, person):
        runs = [make_done_run(person, capital=Decimal(money)) for money in (10_000, 20_000)]

        figures = {each["key"]: each for each in compared(api, *runs).json()["figures"]}

        assert figures["buy_and_hold_return"]["best"] == []
        assert figures["final_equity"]["best"] == [1]

    def test_settings_that_differ_are_told(self, api, person):
        runs = [make_done_run(person, parameters={"short_ema_period": period}) for period in (3, 5)]

        settings = compared(api, *runs).json()["settings"]

        assert [each["name"] for each in settings if each["differs"]] == [
            "parameters.short_ema_period"
        ]
        assert {"strategy", "market", "capital", "from"} <= {each["name"] for each in settings}

    def test_curves_are_returns_since_the_start(self, api, person):
        runs = [make_done_run(person, capital=Decimal(money)) for money in (10_000, 20_000)]

        series = compared(api, *runs).json()["series"]

        assert len({line["name"] for line in series}) == 2
        for run, line in zip(runs, series, strict=True):
            last = line["points"][-1]["value"]
            assert last == pytest.approx(run.metrics["values"]["total_return"])
            assert len(line["points"]) <= 1_000

    @pytest.mark.parametrize("count", [0, 1, 6])
    def test_too_few_and_too_many_are_refused(self, api, count):
        answer = compared(api, *(uuid4() for _ in range(count)))

        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid_comparison"

    def test_one_run_twice_is_refused(self, api, person):
        run = make_done_run(person)

        assert compared(api, run, run).status_code == 400

    def test_a_run_without_result_cannot_be_compared(self, api, person):
        answer = compared(api, make_done_run(person), make_run(person, capital=Decimal(1_000)))

        assert answer.status_code == 409

    def test_somebody_elses_run_is_not_found(self, api, person):
        theirs = make_done_run(make_person("bea@example.com"))

        for other in (theirs, uuid4(), "7"):
            assert compared(api, make_done_run(person), other).status_code == 404

    def test_runs_without_trades_are_compared_as_well(self, api, person):
        # So wide an average that it never crosses.
        quiet = {"short_ema_period": 19, "long_ema_period": 20}
        runs = [make_done_run(person), make_done_run(person, parameters=quiet)]

        answer = compared(api, *runs)

        assert answer.status_code == 200

    def test_names_tell_runs_apart(self, person):
        make_market()
        made = [make_done_run(person, capital=Decimal(money)) for money in (1_000, 2_000)]
        ids = [run.public_id for run in made]

        names = comparison.names_of(selectors.get_runs_for(person, public_ids=ids))

        assert names[0].startswith("A · EMA crossover")
        assert len(set(names)) == 2


class TestAnnotate:
    def patch(self, api, run, body):
        return api.patch(f"{RUNS}/{run.public_id}", body, content_type="application/json")

    def test_tags_and_notes_are_changed_one_without_the_other(self, api, person):
        run = make_done_run(person)

        first = self.patch(api, run, {"tags": ["Trend", "trend"]}).json()
        second = self.patch(api, run, {"notes": "Look again."}).json()

        assert first["tags"] == ["trend"]
        assert (second["tags"], second["notes"]) == (["trend"], "Look again.")
        assert [each["tags"] for each in api.get(f"{RUNS}?tag=trend").json()["results"]] == [
            ["trend"]
        ]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"tags": ["x" * 31]}, "invalid_annotation"),
            ({"tags": [""]}, "invalid_annotation"),
            ({"tags": "trend"}, "not_a_list"),
            ({"status": "DONE"}, "unknown_field"),
        ],
    )
    def test_bad_input_has_a_code(self, api, person, body, code):
        answer = self.patch(api, make_run(person), body)

        assert answer.status_code == 400
        assert code in answer.content.decode()


class TestDelete:
    def test_a_finished_run_is_gone(self, api, person):
        run = make_done_run(person)

        assert api.delete(f"{RUNS}/{run.public_id}").status_code == 204
        assert api.get(f"{RUNS}/{run.public_id}").status_code == 404
        assert api.get(RUNS).json()["results"] == []

    def test_an_unfinished_one_stays(self, api, person):
        answer = api.delete(f"{RUNS}/{make_run(person).public_id}")

        assert answer.status_code == 409
        assert answer.json()["code"] == "run_unfinished"
