"""Sweeps through the JSON API."""

import csv
import io

import pytest

from backtesting.models import BacktestRun, Sweep
from foundation.http import PROBLEM_CONTENT_TYPE
from tests.factories.accounts import make_person
from tests.factories.backtesting import END_AT, FIRST_AT, make_market
from tests.factories.sweeps import best_of, make_done_sweep, make_sweep

pytestmark = pytest.mark.django_db

SWEEPS = "/api/v1/sweeps"
REQUEST = {
    "strategy": "ema-crossover",
    "market": "binance:BTC/USDT",
    "timeframe": "1h",
    "from": FIRST_AT.isoformat(),
    "to": END_AT.isoformat(),
    "parameters": {"stop_loss_percent": 3.0},
    "space": {
        "short_ema_period": {"from": 5, "to": 9, "step": 2},
        "take_profit_percent": {"values": [2.0, 4.0]},
    },
    "objective": "total_return",
}


@pytest.fixture
def person():
    make_market()
    return make_person()


@pytest.fixture
def api(client, person):
    client.force_login(person)
    return client


def post(api, body, path=SWEEPS):
    return api.post(path, body, content_type="application/json")


class TestRequest:
    def test_a_new_one_is_created_and_an_equal_one_is_found(self, api):
        created, again = post(api, REQUEST), post(api, REQUEST)

        assert (created.status_code, again.status_code) == (201, 200)
        assert created.json()["id"] == again.json()["id"]
        assert created["Location"] == f"{SWEEPS}/{created.json()['id']}"
        assert created.json()["trials_planned"] == 6
        assert created.json()["parameters"]["stop_loss_percent"] == 3.0

    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            ({"space": {"short_ema_period": {"from": 1, "to": 9}}}, "space.short_ema_period", "out_of_range"),
            ({"space": {"short_ema_period": 5}}, "space.short_ema_period", "wrong_type"),
            ({"space": []}, "space", "wrong_type"),
            ({"space": None}, "space", "null_not_allowed"),
            ({"trials": "5"}, "trials", "wrong_type"),
            ({"seed": True}, "seed", "wrong_type"),
            ({"method": "grid"}, "method", "invalid_choice"),
            ({"luck": 1}, "luck", "unknown_field"),
        ],
    )  # fmt: skip
    def test_bad_input_is_named(self, api, change, field, code):
        answer = post(api, {**REQUEST, **change})

        assert answer.status_code == 400
        assert answer["Content-Type"] == PROBLEM_CONTENT_TYPE
        assert (field, code) in {(each["field"], each["code"]) for each in answer.json()["errors"]}
        assert not Sweep.objects.exists()

    def test_one_that_is_too_large_names_the_limit(self, api):
        space = {"short_ema_period": "2:90", "long_ema_period": "5:200", "leverage": "1:20"}
        answer = post(api, {**REQUEST, "space": space})

        assert answer.status_code == 400
        assert "at most 100,000" in answer.json()["detail"]
        assert answer.json()["errors"][0]["code"] == "sweep_too_large"


class TestRead:
    def test_lists_and_states_are_told(self, api, person):
        done, waiting = make_done_sweep(person), make_sweep(person, seed=2)

        everything = api.get(SWEEPS).json()["results"]
        finished = api.get(f"{SWEEPS}?status=DONE").json()["results"]

        assert [each["id"] for each in everything] == [str(waiting.public_id), str(done.public_id)]
        assert [each["id"] for each in finished] == [str(done.public_id)]
        assert finished[0]["best"] == done.best
        assert finished[0]["trials_done"] == 9

    def test_trials_come_in_pages_in_the_order_that_is_asked_for(self, api, person):
        path = f"{SWEEPS}/{make_done_sweep(person).public_id}/trials"

        first = api.get(f"{path}?sort=-total_return&limit=5").json()
        second = api.get(first["next"]).json()

        returns = [
            trial["figures"]["total_return"] for trial in first["results"] + second["results"]
        ]
        assert len(returns) == 9
        assert returns == sorted(returns, reverse=True)
        by_parameter = api.get(f"{path}?sort=parameter.short_ema_period").json()["results"]
        assert [each["parameters"]["short_ema_period"] for each in by_parameter] == [5] * 3 + [
            7
        ] * 3 + [9] * 3
        assert api.get(f"{path}?sort=luck").json()["code"] == "invalid_parameter"

    def test_trials_as_csv_have_everything(self, api, person):
        sweep = make_done_sweep(person)
        answer = api.get(f"{SWEEPS}/{sweep.public_id}/trials.csv")

        rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
        assert len(rows) == 9
        best = rows[best_of(sweep)["number"] - 1]
        assert float(best["sharpe"]) == best_of(sweep)["figures"]["sharpe"]
        assert best["trades"] == str(best_of(sweep)["figures"]["trades"])


class TestDeeds:
    def test_a_trial_becomes_a_backtest_once(self, api, person):
        sweep = make_done_sweep(person)
        path = f"{SWEEPS}/{sweep.public_id}/run"

        created, again = post(api, {"number": 4}, path), post(api, {"number": 4}, path)

        assert (created.status_code, again.status_code) == (201, 200)
        assert created.json()["parameters"]["stop_loss_percent"] == 3.0
        assert BacktestRun.objects.count() == 1
        assert post(api, {"number": 99}, path).json()["code"] == "unknown_trial"

    def test_cancel_then_delete(self, api, person):
        path = f"{SWEEPS}/{make_sweep(person).public_id}"

        assert api.delete(path).json()["code"] == "sweep_unfinished"
        assert post(api, {}, f"{path}/cancel").json()["status"] == "CANCELED"
        assert post(api, {}, f"{path}/cancel").json()["code"] == "sweep_finished"
        assert api.delete(path).status_code == 204
        assert api.get(path).status_code == 404
