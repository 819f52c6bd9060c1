"""A person asks for a backtest through the API and reads its result."""

import pytest

from tests.flows.stack import eventually, register

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(300),
]

REQUEST = {
    "strategy": "ema-crossover",
    "market": "binance:BTC/USDT",
    "timeframe": "4h",
    "from": "2023-12-30T08:00:00Z",
    "to": "2024-03-22T08:00:00Z",
    "parameters": {"short_ema_period": 10, "long_ema_period": 20},
    "capital": "10000",
}


def finished(visitor, run_id):
    run = visitor.get(f"/backtests/{run_id}")
    assert run["status"] != "FAILED", run
    return run if run["status"] == "DONE" else None


def test_a_backtest_is_requested_computed_by_a_worker_and_read(visitor):
    created = visitor.post("/backtests", REQUEST)
    assert created.status_code == 201, created.text
    run_id = created.json()["id"]

    run = eventually(lambda: finished(visitor, run_id), what="the backtest is done")

    trades = visitor.get(f"/backtests/{run_id}/trades")["results"]
    assert run["metrics"]["trades"] == len(trades) > 0
    assert "BTC/USDT" in visitor.page(f"/backtests/{run_id}/")
    chart = visitor.session.get(f"{visitor.url}/backtests/{run_id}/candles.json", timeout=20).json()
    assert len(chart["lines"]) == 2

    again = visitor.post("/backtests", REQUEST)
    assert again.status_code == 200
    assert again.json()["id"] == run_id


def test_the_web_server_draws_what_workers_computed_and_loads_no_compiler(visitor, stack):
    """An index of relative strength and its swings: TA-Lib and compiled code, in another process."""
    asked = {**REQUEST, "strategy": "rsi-divergence", "parameters": {}}
    run_id = visitor.post("/backtests", asked).json()["id"]
    eventually(lambda: finished(visitor, run_id), what="the backtest is done")

    visitor.page(f"/backtests/{run_id}/")
    visitor.page(f"/backtests/{run_id}/report.html")
    chart = visitor.session.get(f"{visitor.url}/backtests/{run_id}/candles.json", timeout=20).json()

    assert [line["pane"] for line in chart["lines"]] == ["", "", "RSI"]
    assert all(line["points"] for line in chart["lines"])
    loaded = stack.libraries_of("web")
    assert any("psycopg" in each for each in loaded), "Nothing was read."
    assert not [each for each in loaded if "llvmlite" in each or "talib" in each]


def test_another_person_cannot_see_it(visitor, stack):
    run_id = visitor.post("/backtests", REQUEST).json()["id"]
    stranger = register(stack)

    response = stranger.session.get(f"{stack.url}/api/v1/backtests/{run_id}", timeout=10)

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_a_backtest_without_candles_says_what_there_is(visitor):
    response = visitor.post(
        "/backtests", {**REQUEST, "from": "2010-01-01T00:00:00Z", "to": "2010-02-01T00:00:00Z"}
    )

    assert response.status_code == 400
    assert any(problem["code"] == "no_candles" for problem in response.json()["errors"]), (
        response.text
    )
