"""Requests and candles that nothing can be made of, and those with holes: a clear word each time."""

import io
import json
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.core.management import call_command

from backtesting.domain.windows import missing_bars
from backtesting.models import BacktestRun, RunStatus
from backtesting.services import execution, specifications
from market.candles import Candles
from market.errors import InvalidInputError
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies.definitions import ema_crossover
from strategies.indicators import crossings
from tests.factories import exchanges as exchange_factory
from tests.factories import strategies as strategy_factory
from tests.factories.accounts import make_person
from tests.factories.backtesting import (
    END_AT,
    FIRST_AT,
    NOW,
    make_done_run,
    make_market,
    make_run,
    swinging_closes,
    wish,
)

pytestmark = pytest.mark.django_db

GAP = slice(300, 337)


def make_market_with_a_gap():
    """Store the swinging market without 37 of its hours."""
    strategy_factory.make_catalogue()
    candles = exchange_factory.make_candles(swinging_closes())
    before, after = candles.slice(0, GAP.start), candles.slice(GAP.stop, len(candles))
    left = Candles.concatenate((before, after))
    instrument = exchange_factory.make_instrument()
    exchange_factory.store_candles(instrument, Timeframe.H1, left)
    return instrument


class TestRequests:
    @pytest.mark.parametrize(
        ("change", "field", "code", "words"),
        [
            ({"from_at": END_AT, "to_at": END_AT + timedelta(days=9)}, "from", "no_candles", "no whole"),
            ({"to_at": FIRST_AT, "from_at": FIRST_AT - timedelta(days=9)}, "from", "no_candles", "from"),
            ({"timeframe": "4h"}, "from", "no_candles", "no 4h candles"),
            ({"to_at": FIRST_AT + timedelta(hours=90)}, "from", "window_too_short", "longer or later"),
            ({"from_at": END_AT, "to_at": FIRST_AT}, "to", "range_inverted", "before it ends"),
            ({"to_at": NOW + timedelta(seconds=1)}, "to", "in_future", "by now"),
            ({"parameters": {"short_ema_period": 0}}, "parameters.short_ema_period", "out_of_range", "at least 2"),
            ({"parameters": {"short_ema_period": 2.5}}, "parameters.short_ema_period", "wrong_type", "integer"),
            ({"parameters": {"short_ema_period": 50}}, "parameters.short_ema_period", "inconsistent", "shorter"),
            ({"parameters": {"stop_loss_percent": float("nan")}}, "parameters.stop_loss_percent", "wrong_type", "finite"),
            ({"parameters": {"direction": "UP"}}, "parameters.direction", "wrong_type", "LONG"),
            ({"parameters": {"speed": 1}}, "parameters.speed", "unknown_field", "no parameter"),
            ({"capital": Decimal("NaN")}, "capital", "out_of_range", "more than 0"),
            ({"fee_bps": Decimal(-1)}, "fee_bps", "out_of_range", "from 0"),
            ({"slippage_bps": Decimal("Infinity")}, "slippage_bps", "out_of_range", "from 0"),
            ({"market": "nonsense"}, "market", "invalid_market", "binance:BTC/USDT"),
            ({"strategy_slug": "ema-crosover"}, "strategy", "unknown_strategy", "Did you mean ema-crossover"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )  # fmt: skip
    def test_nonsense_is_refused_with_its_field_its_code_and_a_sentence(
        self, change, field, code, words
    ):
        make_market()

        with pytest.raises(InvalidInputError) as caught:
            specifications.specify(**wish(**change), now=NOW)

        [problem] = caught.value.problems
        assert (problem.field, problem.code) == (field, code)
        assert words in problem.message

    def test_more_bars_than_can_be_run_are_refused(self, monkeypatch):
        make_market()
        monkeypatch.setattr(specifications, "MAXIMUM_BARS", 500)

        with pytest.raises(InvalidInputError) as caught:
            specifications.specify(**wish(), now=NOW)

        [problem] = caught.value.problems
        assert problem.code == "too_many_bars"
        assert "shorter window or a longer timeframe" in problem.message


class TestGaps:
    def test_the_result_says_how_many_bars_were_missing(self, client):
        make_market_with_a_gap()
        person = make_person()
        run = make_done_run(person)

        assert run.status == RunStatus.DONE
        assert run.missing_bars == 37
        client.force_login(person)
        assert "37 bars could not be had" in client.get(f"/backtests/{run.public_id}/").text
        assert client.get(f"/api/v1/backtests/{run.public_id}").json()["missing_bars"] == 37

    def test_the_command_says_it_too(self):
        make_market_with_a_gap()
        said, plain = io.StringIO(), io.StringIO()
        request = (
            *("backtest", "ema-crossover", "--market", "binance:BTC/USDT"),
            *("--timeframe", "1h", "--from", "2024-01-01", "--to", "2024-01-26"),
        )

        call_command(*request, stdout=plain)
        call_command(*request, "--json", stdout=said)

        assert "Missing bars     37" in plain.getvalue()
        assert json.loads(said.getvalue())["missing_bars"] == 37

    def test_without_a_gap_nothing_is_said(self, client):
        make_market()
        person = make_person()
        run = make_done_run(person)

        assert run.missing_bars == 0
        client.force_login(person)
        assert "could not be had" not in client.get(f"/backtests/{run.public_id}/").text

    def test_a_window_that_is_all_gap_ends_with_a_sentence(self):
        make_market_with_a_gap()
        first = FIRST_AT + timedelta(hours=GAP.start + 1)
        run = make_run(make_person(), from_at=first, to_at=first + timedelta(hours=20))
        execution.execute_run(run_id=run.pk)
        run.refresh_from_db()

        assert (run.status, run.error_code) == (RunStatus.FAILED, "no_candles")
        assert "no candles from" in run.error_message

    @pytest.mark.parametrize(
        ("timeframe", "first", "end", "bars", "missing"),
        [
            (Timeframe.H1, "2024-01-01", "2024-01-02", 24, 0),
            (Timeframe.H1, "2024-01-01", "2024-01-02", 20, 4),
            (Timeframe.MO1, "2024-01-01", "2025-01-01", 12, 0),
            (Timeframe.MO1, "2024-01-01", "2025-01-01", 9, 3),
            (Timeframe.D1, "2024-02-01", "2024-02-01", 0, 0),
        ],
    )
    def test_bars_are_counted_on_the_grid(self, timeframe, first, end, bars, missing):
        start_ms, end_ms = (
            to_milliseconds(FIRST_AT.fromisoformat(f"{day}T00:00:00+00:00")) for day in (first, end)
        )

        assert from_milliseconds(start_ms).tzinfo is not None
        assert missing_bars(timeframe, start_ms, end_ms, bars=bars) == missing


class TestWorker:
    @pytest.mark.parametrize(
        ("says", "code"),
        [
            (lambda *_: 1 / 0, "strategy_failed"),
            (lambda *_: None, "invalid_signals"),
            (lambda *_: np.zeros(3, dtype=np.bool_), "invalid_signals"),
            (lambda values: values, "invalid_signals"),
            (lambda values: np.full(len(values), np.nan), "invalid_signals"),
            (lambda values: np.array(["buy"] * len(values)), "invalid_signals"),
        ],
    )
    def test_a_broken_strategy_fails_its_run_and_nothing_else(self, monkeypatch, says, code):
        make_market()
        person = make_person()
        run = make_run(person)

        def crossed(values, *periods):
            return crossings.ema_crossings(values, *periods)._replace(up=says(values))

        with monkeypatch.context() as patch:
            patch.setattr(ema_crossover, "ema_crossings", crossed)
            execution.execute_run(run_id=run.pk)
        run.refresh_from_db()

        assert (run.status, run.error_code) == (RunStatus.FAILED, code)
        assert run.error_message.startswith("“EMA crossover” ")
        assert run.error_message.endswith(".")
        assert ema_crossover.__dict__["ema_crossings"] is crossings.ema_crossings
        assert make_done_run(person).status == RunStatus.DONE
        assert BacktestRun.objects.count() == 2
