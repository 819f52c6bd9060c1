"""``manage.py backtest`` at a terminal."""

import io

import pytest
from django.core.management import CommandError, call_command

from backtesting.models import BacktestRun, RunStatus
from exchanges.adapters import memory
from exchanges.adapters.factory import MEMORY
from exchanges.adapters.memory import InMemoryVenue
from market.candles import Candles
from market.timeframes import Timeframe
from tests.factories import strategies
from tests.factories.accounts import make_person
from tests.factories.backtesting import make_market, swinging_closes
from tests.factories.exchanges import make_candles, make_instrument, make_venue, store_candles

pytestmark = pytest.mark.django_db

BASE = (
    *("backtest", "ema-crossover", "--market", "binance:BTC/USDT", "--timeframe", "1h"),
    *("--from", "2024-01-01", "--to", "2024-01-26"),
)


def run(*more: str) -> str:
    output = io.StringIO()
    call_command(*BASE, *more, stdout=output)
    return output.getvalue()


def refused(*arguments: str) -> tuple[int | str | None, str]:
    errors = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command(*arguments, stdout=io.StringIO(), stderr=errors)
    return caught.value.code, errors.getvalue()


def test_it_prints_the_effective_start_and_the_metrics():
    make_market()

    printed = run("--param", "short_ema_period=5")

    assert "Effective start  2024-01-05 04:00 UTC" in printed
    assert "Total return" in printed
    assert "Trades by exit" in printed
    assert not BacktestRun.objects.exists()


def test_candles_that_are_missing_can_be_fetched_first(capsys):
    venue = InMemoryVenue()
    rows = make_candles(swinging_closes(), timeframe=Timeframe.H1).rows()
    venue.candle_rows["BTC/USDT", Timeframe.H1] = rows
    memory.use_venue("memory", venue)
    strategies.make_catalogue()
    instrument = make_instrument(venue=make_venue("memory", ccxt_id=MEMORY))
    store_candles(instrument, Timeframe.H1, Candles.from_rows(rows[:400]))
    wanted = [each.replace("binance:", "memory:") for each in BASE]
    output, errors = io.StringIO(), io.StringIO()

    try:
        call_command(*wanted, "--fetch", stdout=output, stderr=errors)
    finally:
        memory.forget_venues()

    assert "BTC/USDT 1h: 200 of 400 missing bars fetched." in errors.getvalue()
    assert "Trades" in output.getvalue()


def test_for_a_person_the_run_is_stored_as_well():
    make_market()
    person = make_person()

    printed = run("--owner", "ADA@example.com")

    stored = BacktestRun.objects.get(owner=person)
    assert stored.status == RunStatus.DONE
    assert f"Trades           {stored.trades.count()}" in printed


def test_for_a_person_it_prints_the_same():
    make_market()
    make_person()

    assert run("--owner", "ada@example.com") == run()


def test_all_problems_are_printed_each_with_its_code():
    make_market()

    code, errors = refused(*BASE, "--param", "short_ema_period=1", "--capital", "0")

    assert code == 1
    assert [line.split(": ")[:2] for line in errors.splitlines()] == [
        ["error", "out_of_range"],
        ["error", "out_of_range"],
    ]


def test_it_writes_a_report_without_storing_the_run(tmp_path):
    make_market()

    run("--html", str(tmp_path / "report.html"))

    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert report.startswith("<!DOCTYPE html>")
    assert "EMA crossover on BTC/USDT, 1h" in report
    assert not BacktestRun.objects.exists()


def test_a_window_that_ends_before_it_begins_is_a_usage_error():
    code, errors = refused(*BASE, "--to", "2023-01-01")

    assert code == 2
    assert errors.startswith("error: range_inverted")


def test_an_unknown_person_is_not_found():
    make_market()

    assert refused(*BASE, "--owner", "nobody@example.com")[1].startswith("error: not_found")


def test_a_parameter_given_twice_is_refused():
    make_market()

    code, errors = refused(*BASE, "--param", "short_ema_period=5", "--param", "short_ema_period=6")

    assert code == 1
    assert "more than once" in errors


@pytest.mark.parametrize(
    "more",
    [
        ("--from", "yesterday"),
        ("--param", "short_ema_period"),
        ("--capital", "much"),
        ("--capital", "NaN"),
        ("--nonsense",),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(more):
    with pytest.raises(CommandError):
        run(*more)
