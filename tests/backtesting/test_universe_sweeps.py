"""Sweeps of a strategy that trades many markets from one wallet."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from backtesting.domain.objectives import FIGURES, figures_row
from backtesting.models import RunStatus, Sweep
from backtesting.selectors import sweeps as selectors
from backtesting.services import execution, specifications, sweep_plans, sweeps, trials
from backtesting.services.specifications import InvalidRunError
from foundation.audit import Actor
from market.enums import InstrumentKind
from tests.backtesting.universes import UNIVERSE, make_universe, universe_wish
from tests.factories.accounts import make_person
from tests.factories.backtesting import NOW
from tests.factories.sweeps import best_of, make_done_sweep, make_sweep

pytestmark = pytest.mark.django_db

#: Two sets of signals, of which one warms up for longer, with two stops each.
SPACE: dict[str, Any] = {"macd_slow_period": "20,70", "stop_loss_percent": "1,3"}


def wished(**changes: Any) -> dict[str, Any]:
    return {
        "market": "",
        "space": SPACE,
        **universe_wish(funding_bps=Decimal(3)),
        "parameters_are_text": True,
        **changes,
    }


@pytest.fixture
def person():
    make_universe(InstrumentKind.LINEAR_SWAP)
    return make_person()


def test_every_trial_is_what_one_backtest_of_the_universe_gives(person):
    sweep = make_done_sweep(person, **wished())
    found = selectors.trials_of(sweep)

    assert (sweep.status, len(found)) == (RunStatus.DONE, 4)
    assert sweep.markets == UNIVERSE
    for index in range(len(found)):
        parameters = {"top_n_symbols": 2, **found.parameters(index)}
        alone = trials.try_out(
            specifications.specify(
                **universe_wish(funding_bps=Decimal(3), parameters=parameters), now=NOW
            )
        )
        assert found.figures[index].tobytes() == figures_row(alone.metrics).tobytes()
    assert len(set(found.figure("final_equity"))) == 4
    assert best_of(sweep)["number"] in found.numbers


def test_a_chunk_counts_the_bars_of_all_markets(person, monkeypatch):
    plan = sweep_plans.plan_sweep(sweep_plans.SweepWish(**wished()), now=NOW)
    bars_of_one = plan.specification.window.estimated_bars
    monkeypatch.setattr(sweeps, "_CHUNK_BARS", 2 * 4 * bars_of_one)

    sweep = make_sweep(person, **wished())

    assert [chunk.trial_count for chunk in sweep.chunks.order_by("number")] == [2, 2]


@pytest.mark.parametrize("method", ["RANDOM", "GUIDED"])
def test_the_other_searches_run_over_universes_too(person, method):
    sweep = make_done_sweep(person, **wished(method=method, trials=3))

    assert (sweep.status, sweep.trials_done) == (RunStatus.DONE, 3)


def test_a_trial_becomes_a_run_of_the_universe_with_the_same_figures(person):
    sweep = make_done_sweep(person, **wished())
    best = best_of(sweep)

    run = sweeps.run_trial(
        owner=person, sweep=sweep, number=best["number"], by=Actor.person(person.pk), now=NOW
    )
    execution.execute_run(run_id=run.pk)

    run.refresh_from_db()
    assert run.markets == UNIVERSE
    assert {key: run.metrics["values"][key] for key in FIGURES} == best["figures"]


def test_all_bars_of_all_markets_count_for_the_limit(person, monkeypatch):
    one = sweep_plans.plan_sweep(sweep_plans.SweepWish(**wished()), now=NOW).specification
    monkeypatch.setattr(sweep_plans, "MAXIMUM_WORK_BARS", 4 * one.window.asked_bars)

    with pytest.raises(InvalidRunError) as caught:
        make_sweep(person, **wished())
    assert [each.code for each in caught.value.problems] == ["sweep_too_large"]


def test_without_a_universe_it_is_refused_by_name(person):
    with pytest.raises(InvalidRunError) as caught:
        make_sweep(person, **wished(universe="", market="binance:BTC/USDT"))
    assert [(each.field, each.code) for each in caught.value.problems] == [("universe", "required")]


def test_page_api_and_command_take_a_universe(person, client):
    client.force_login(person)

    form = client.get("/backtests/sweeps/new/?strategy=top-movers-macd")
    assert UNIVERSE in form.content.decode()
    sent = {name: field.initial for name, field in form.context["form"].fields.items()}
    shown = {**sent, **form.context["form"].initial, "parameters.top_n_symbols": "1:2"}
    values = {
        name: f"{value:%Y-%m-%dT%H:%M}" if name in {"from", "to"} else value
        for name, value in shown.items()
        if value is not None
    }
    values |= {f"parameters.{name}": text for name, text in SPACE.items()}
    values["parameters.macd_fast_period"] = "12"
    posted = client.post("/backtests/sweeps/new/?strategy=top-movers-macd", values)
    assert posted.status_code == 302, posted.context["form"].errors
    sweep = Sweep.objects.get()
    assert sweep.markets == UNIVERSE
    page = client.get(f"/backtests/sweeps/{sweep.public_id}/").content.decode()
    assert "on 4 markets, 1h" in page
    again = client.get(
        f"/backtests/sweeps/new/?strategy=top-movers-macd&copy={sweep.public_id}"
    ).content.decode()
    assert UNIVERSE in again

    body = {
        "strategy": "top-movers-macd",
        "universe": UNIVERSE,
        "timeframe": "1h",
        "from": "2024-01-01T00:00:00Z",
        "to": "2024-01-26T00:00:00Z",
        "space": {"top_n_symbols": {"values": [1, 2]}},
    }
    made = client.post(
        reverse("sweeps-api:sweeps"), json.dumps(body), content_type="application/json"
    )
    assert made.status_code == 201, made.content
    assert made.json()["market"] == UNIVERSE

    printed = io.StringIO()
    call_command(
        "sweep",
        *("top-movers-macd", "--universe", UNIVERSE, "--timeframe", "1h"),
        *("--from", "2024-01-01", "--to", "2024-01-26", "--grid", "top_n_symbols=1,2"),
        stdout=printed,
    )
    assert "2 trials" in printed.getvalue()
