"""``manage.py check_strategy`` at a terminal."""

import io
import json

import pytest
from django.core.management import call_command

from strategies import registry
from strategies.registry import definition_of
from tests.factories.backtesting import make_market
from tests.strategies import cheats
from tests.strategies.cheats import tomorrows_close

STORED = (
    *("--market", "binance:BTC/USDT", "--timeframe", "1h"),
    *("--from", "2024-01-05", "--to", "2024-01-26"),
)


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("check_strategy", *arguments, stdout=output)
    return output.getvalue()


def refused(*arguments: str) -> tuple[int | str | None, str, str]:
    output, errors = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("check_strategy", *arguments, stdout=output, stderr=errors)
    return caught.value.code, output.getvalue(), errors.getvalue()


@pytest.fixture
def with_cheats(monkeypatch):
    """Let the registry know the cheats as well."""
    found = (*registry.all_definitions(), *map(definition_of, cheats.ALL))
    monkeypatch.setattr(registry, "all_definitions", lambda: found)


def test_all_checks_are_printed_with_their_evidence():
    printed = run("ema-crossover")

    for check in ("REPEAT", "PREFIX", "FUTURE", "HIGHER", "WARM_UP", "COSTS", "PARAMETERS"):
        assert check in printed
    assert "2 x, fees 20 / 20 bps, slippage 10 bps" in printed
    assert "Fast average, 10 to 11" in printed
    assert "EMA crossover, 1,700 bars: " in printed


@pytest.mark.timeout(600)
@pytest.mark.parametrize("definition", registry.all_definitions(), ids=lambda each: each.slug)
def test_no_strategy_of_the_catalogue_fails(definition):
    printed = run(definition.slug)

    assert "FAILED" not in printed
    assert definition.name in printed


def test_another_seed_is_another_market():
    assert run("ema-crossover", "--seed", "7") != run("ema-crossover")


@pytest.mark.django_db
def test_stored_candles_and_parameters_can_be_chosen():
    make_market()

    said = json.loads(run("ema-crossover", *STORED, "--set", "short_ema_period=5", "--json"))

    assert said["bars"] == 600
    assert said["verdict"] in {"PASSED", "WARNING"}
    changes = {row["change"] for each in said["checks"] for row in each["rows"]}
    assert "5 to 6" in changes


def test_a_violation_ends_with_status_1_and_names_the_bar(with_cheats):
    code, printed, errors = refused(tomorrows_close.SLUG)

    assert code == 1
    assert "FAILED   PREFIX" in printed
    assert "differs first at bar" in printed
    assert "bars alone" in printed
    assert errors == "error: not_causal: Tomorrow's close is not causal.\n"


def test_a_strategy_of_a_universe_is_checked_on_one(with_cheats):
    code, printed, _ = refused("ranks-of-tomorrow")
    assert code == 1
    assert " of COIN" in printed

    assert "WARM_UP" in run("ranks-of-tomorrow", "--set", "cheats=false")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("gone",), "unknown_strategy"),
        (("ema-crossover", "--market", "binance:BTC/USDT"), "invalid_input"),
        (("ema-crossover", "--timeframe", "7m"), "invalid_input"),
        (("ema-crossover", "--set", "short_ema_period=1"), "out_of_range"),
        (("ema-crossover", "--set", "speed=1"), "unknown_field"),
        (("ema-crossover", "--set", "direction=UP"), "wrong_type"),
        (("ema-crossover", *("--set", "short_ema_period=9") * 2), "invalid_input"),
    ],
)
def test_what_cannot_be_checked_is_refused(arguments, error):
    code, _, errors = refused(*arguments)

    assert code == 1
    assert errors.startswith(f"error: {error}")
