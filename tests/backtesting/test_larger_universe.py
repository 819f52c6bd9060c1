"""The recorded universe of 2024: 27 markets in hours from one wallet, where CANDLES_DIR names it.

One of them was listed in the course of the window, and three records end before the others, as those
of delisted markets do. The daily pivot range finds the long history there that it needs.
"""

from datetime import UTC, datetime

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from backtesting.domain.portfolio import PortfolioBacktest
from backtesting.services import evidence, specifications, trials
from exchanges.models import Instrument, Venue
from foundation.audit import Actor
from market.timeframes import HOUR_MS
from strategies.services import catalogue

pytestmark = [pytest.mark.django_db, pytest.mark.candles]

BY = Actor.system("test")


@pytest.fixture
def universe(candles_dir, capsys):
    now = timezone.now()
    catalogue.sync_catalogue(now=now)
    folder = candles_dir / "binance-2024"
    call_command("import_candles", str(folder), "--venue", "recorded", "--new-venue")
    capsys.readouterr()
    Venue.objects.update(real_money=True)
    symbols = sorted(Instrument.objects.values_list("symbol", flat=True))
    assert len(symbols) == 27
    return f"recorded:{','.join(symbols)}"


def test_the_wallet_earns_what_its_trades_do_and_listings_are_kept(universe):
    specification = specifications.specify(
        strategy_slug="top-movers-macd",
        universe=universe,
        timeframe="1h",
        from_at=datetime(2024, 1, 1, tzinfo=UTC),
        to_at=datetime(2024, 9, 7, 2, tzinfo=UTC),
        parameters={},
        now=timezone.now(),
    )

    backtest = trials.try_out(specification)

    assert isinstance(backtest, PortfolioBacktest)
    result, view = backtest.result, backtest.stretch.view
    trades = backtest.trades()
    assert len(trades) > 500
    earned = float(sum(trade.pnl for trade in trades))
    assert result.final_equity - result.capital == pytest.approx(earned, abs=1e-4)
    told = backtest.metrics_json()["universe"]["markets"]
    assert sum(row["pnl"] for row in told) == pytest.approx(earned, abs=1e-4)
    listed = {
        symbol: np.flatnonzero(~np.isnan(close))[[0, -1]]
        for symbol, close in zip(view.symbols, view.close, strict=True)
    }
    late = {symbol for symbol, (first, _) in listed.items() if first > 0}
    gone = {symbol for symbol, (_, last) in listed.items() if last < len(view) - 1}
    assert late == {"WIF/USDT"}
    assert gone == {"BTC/USDT", "ETH/USDT", "LTC/USDT"}
    for trade in trades:
        first, last = listed[trade.symbol]
        opened = trade.entry_at.timestamp() * 1_000
        assert view.open_time[first] < opened <= view.open_time[last]
        if trade.symbol in gone:
            # What was held at the last bar is sold at its close, on the next bar of the others.
            closed = trade.exit_at.timestamp() * 1_000
            assert closed <= view.open_time[last] + HOUR_MS


@pytest.mark.parametrize(
    ("slug", "timeframe", "markets"), [("cpr-daily", "5m", 0), ("top-movers-macd", "1h", 27)]
)
def test_there_is_evidence_for_strategies_that_need_much(universe, slug, timeframe, markets):
    row = evidence.record_evidence(strategy_slug=slug, by=BY, now=timezone.now())

    assert row.timeframe == timeframe
    assert row.bar_count > 2_000
    assert len(row.metrics.get("universe", {}).get("markets", ())) == markets
