"""``manage.py sweep`` at a terminal."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from backtesting.models import RunStatus, Sweep
from tests.factories.accounts import make_person
from tests.factories.backtesting import make_market
from tests.factories.sweeps import best_of, make_done_sweep

pytestmark = pytest.mark.django_db

BASE = (
    *("sweep", "ema-crossover", "--market", "binance:BTC/USDT", "--timeframe", "1h"),
    *("--from", "2024-01-01", "--to", "2024-01-26", "--param", "stop_loss_percent=3"),
)
GRID = ("--grid", "short_ema_period=5:9:2", "--grid", "take_profit_percent=2,4,8")


def run(*more):
    output = io.StringIO()
    call_command(*BASE, *more, stdout=output)
    return output.getvalue()


def refused(*more):
    errors = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command(*BASE, *more, stdout=io.StringIO(), stderr=errors)
    return caught.value.code, errors.getvalue()


def test_the_best_trials_are_printed_with_a_caution():
    make_market()

    printed = run(*GRID, "--objective", "total_return", "--top", "3").splitlines()

    assert "short_ema_period" in printed[0]
    assert len(printed) == 1 + 3 + 3
    assert "9 trials, 9 of them ranked by “Total return”." in printed
    assert "by chance alone" in printed[-1]
    assert not Sweep.objects.exists()


@pytest.mark.parametrize(
    "search", [GRID, (*GRID, "--method", "guided", "--trials", "6", "--seed", "4")]
)
def test_stored_or_not_the_trials_are_the_same(search):
    make_market()
    person = make_person()

    alone, stored = run(*search, "--json"), run(*search, "--json", "--owner", person.email)

    assert json.loads(alone) == json.loads(stored)
    assert Sweep.objects.get().status == RunStatus.DONE


def test_it_agrees_with_a_page_s_sweep(tmp_path):
    make_market()
    sweep = make_done_sweep(make_person())

    told = json.loads(run(*GRID, "--json", "--csv", str(tmp_path / "trials.csv")))["trials"]

    assert told[best_of(sweep)["number"] - 1]["figures"] == best_of(sweep)["figures"]
    assert len((tmp_path / "trials.csv").read_text().splitlines()) == 10


def test_what_is_wrong_is_said_a_line_for_each():
    make_market()

    status, errors = refused("--grid", "short_ema_period=1:9:2", "--grid", "nothing=1:2")

    assert status == 1
    assert errors.count("error: ") == 2
    assert "error: unknown_field: " in errors
    assert "error: out_of_range: " in errors


def test_an_axis_is_given_once():
    make_market()

    assert "more than once" in refused(*GRID, "--grid", "short_ema_period=5:9")[1]
    with pytest.raises(CommandError, match="NAME=VALUES"):
        call_command(*BASE, "--grid", "short_ema_period")
