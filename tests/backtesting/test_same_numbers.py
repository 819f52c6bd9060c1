"""One backtest asked for in three ways gives the same numbers, to the last digit."""

import io
import json

import pytest
from django.core.management import call_command

from backtesting.models import BacktestRun
from backtesting.services import execution
from tests.factories.accounts import make_person
from tests.factories.backtesting import END_AT, FIRST_AT, make_market

pytestmark = pytest.mark.django_db

WINDOW = {"from": FIRST_AT.isoformat(), "to": END_AT.isoformat()}
RESULT = ("metrics", "monthly_returns", "by_exit_reason", "decisions", "effective_from")


def by_command():
    output = io.StringIO()
    call_command(
        *("backtest", "ema-crossover", "--market", "binance:BTC/USDT", "--timeframe", "1h"),
        *("--from", WINDOW["from"], "--to", WINDOW["to"], "--param", "short_ema_period=5"),
        "--json",
        stdout=output,
    )
    return json.loads(output.getvalue())


def by_api(client):
    request = {
        "strategy": "ema-crossover",
        "market": "binance:BTC/USDT",
        "timeframe": "1h",
        **WINDOW,
        "parameters": {"short_ema_period": 5},
    }
    created = client.post("/api/v1/backtests", request, content_type="application/json")
    return read(client, created.headers["Location"])


def by_form(client):
    form = {
        "market": "binance:BTC/USDT",
        "timeframe": "1h",
        "from": WINDOW["from"][:16],
        "to": WINDOW["to"][:16],
        "capital": "10000",
        "slippage_bps": "5",
        "parameters.short_ema_period": "5",
        "parameters.long_ema_period": "20",
        "parameters.risk_per_trade_percent": "1.0",
        "parameters.stop_loss_percent": "2.0",
        "parameters.take_profit_percent": "4.0",
        "parameters.direction": "BOTH",
        "parameters.leverage": "1",
        "parameters.max_trades_per_day": "0",
        "parameters.cooldown_bars": "0",
    }
    answer = client.post("/backtests/new/?strategy=ema-crossover", form)
    return read(client, f"/api/v1{answer.headers['Location'].rstrip('/')}")


def read(client, address):
    run = BacktestRun.objects.get(public_id=address.rsplit("/", 1)[1])
    execution.execute_run(run_id=run.pk)
    result = client.get(address).json()
    return result | {"trades": client.get(f"{address}/trades?limit=200").json()["results"]}


def test_command_api_and_form_agree(client):
    make_market()
    client.force_login(make_person())

    of_command, of_api = by_command(), by_api(client)
    client.force_login(make_person("bea@example.com"))
    of_form = by_form(client)

    for part in (*RESULT, "trades"):
        assert of_command[part] == of_api[part] == of_form[part], part
    assert len(of_command["trades"]) > 5
    assert of_api["spec_hash"] == of_form["spec_hash"]
