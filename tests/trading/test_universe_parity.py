"""A universe on paper, bar by bar through rows, against a backtest of the same bars from one wallet."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtesting.domain.universes import view_of
from backtesting.engine import simulate_portfolio
from exchanges.adapters.factory import MEMORY
from exchanges.adapters.memory import InMemoryVenue
from exchanges.models import AccountKind, Instrument
from foundation import crashpoints
from market import money
from market.candles import Candles
from market.enums import InstrumentKind
from market.timeframes import Timeframe, from_milliseconds
from strategies import registry
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.domain import kernel, wallets
from trading.models import (
    Deployment,
    DeploymentInstrument,
    DeploymentRevision,
    Fill,
    GroupDecision,
    SignalGroup,
)
from trading.selectors import markets
from trading.services import evaluation, submission

pytestmark = pytest.mark.django_db

SLUG = "top-movers-macd"
HOUR = Timeframe.H1
SAMPLES = Path(__file__).resolve().parents[2] / "exchanges" / "sample_data" / "binance"
BASES = ("ADA", "ICX", "NEO", "ONT", "XLM")
FED = 30
PARAMETERS: Mapping[str, Any] = {
    "top_n_symbols": 2,
    "macd_fast_period": 2,
    "macd_slow_period": 4,
    "macd_signal_period": 2,
    "min_candles_for_signal": 30,
    "symbol_eval_period_hours": 1,
    "stop_loss_percent": 2.0,
    "risk_per_trade_percent": 2.0,
}


@dataclass
class Universe:
    """Markets with their recorded bars, of which the last FED are fed one by one."""

    instruments: Sequence[Instrument]
    candles: Sequence[Candles]
    grid: np.ndarray
    first: int

    @property
    def begins_at(self):
        return from_milliseconds(int(self.grid[self.first]))

    def written(self) -> str:
        return f"{factory.VENUE_CODE}:{','.join(each.symbol for each in self.instruments)}"


def recorded(base: str) -> Candles:
    """Return the recorded hours of a market against BTC, traded for enough to be ranked."""
    with (SAMPLES / f"{base}-BTC" / "1h.csv").open() as file:
        rows = [tuple(map(float, row)) for row in list(csv.reader(file))[1:]]
    return Candles.from_rows([(int(r[0]), r[1], r[2], r[3], r[4], r[5] * 1e4) for r in rows])


def make_universe(kind: InstrumentKind) -> Universe:
    venue = market_factory.make_venue(factory.VENUE_CODE, ccxt_id=MEMORY)
    instruments, candles = [], []
    for base in BASES:
        instruments.append(
            market_factory.make_instrument(
                f"{base}/BTC",
                venue=venue,
                kind=kind,
                tick_size=Decimal("0.00000001"),
                lot_step=Decimal(1),
                minimum_quantity=Decimal(1),
                minimum_notional=Decimal("0.001"),
            )
        )
        candles.append(recorded(base))
    # A market may have no bar at a time at which the others have one.
    kept = np.delete(np.arange(len(candles[1])), len(candles[1]) - FED // 2)
    times, *prices = candles[1].columns()
    candles[1] = Candles(times[kept], *(column[kept] for column in prices))
    end = min(int(each.open_time[-1]) for each in candles)
    candles = [each.between(0, end + 1) for each in candles]
    grid = np.unique(np.concatenate([each.open_time for each in candles]))
    return Universe(instruments, candles, grid, len(grid) - FED)


def deploy(universe: Universe) -> Deployment:
    owner = people.make_person()
    now = universe.begins_at
    account = factory.make_account(owner, universe.instruments[0], kind=AccountKind.PAPER, now=now)
    return factory.make_deployment(
        account,
        now=now,
        is_started=False,
        strategy_slug=SLUG,
        symbol="",
        universe=universe.written(),
        timeframe=HOUR.value,
        parameters=dict(PARAMETERS),
        capital=Decimal(10),
    )


def feed(universe: Universe, venue: InMemoryVenue) -> None:
    """Store what has been, then bar by bar what comes, and let orders go out after each."""
    first_ms = int(universe.grid[universe.first])
    for instrument, candles in zip(universe.instruments, universe.candles, strict=True):
        market_factory.store_candles(instrument, HOUR, candles.between(0, first_ms))
    group = SignalGroup.objects.get()
    for open_ms in universe.grid[universe.first :].tolist():
        for instrument, candles in zip(universe.instruments, universe.candles, strict=True):
            bar = candles.between(open_ms, open_ms + 1)
            if len(bar):
                market_factory.store_candles(instrument, HOUR, bar)
                venue.book.prices[instrument.symbol] = money.decimal_of(float(bar.close[0]))
        closed_at = from_milliseconds(HOUR.close_of(open_ms))
        for seconds in (0.2, 31.0):
            # At first a bar may be missing; half a minute later nobody waits for it any more.
            now = closed_at + timedelta(seconds=seconds)
            evaluation.evaluate_signal_group(group_id=group.pk, now=now)
            submission.submit_due_intents(now=now)


@pytest.mark.parametrize("kind", [InstrumentKind.SPOT, InstrumentKind.LINEAR_SWAP])
def test_a_wallet_on_paper_is_the_wallet_of_the_backtest(kind, memory_venue):
    universe = make_universe(kind)
    deployment = deploy(universe)

    feed(universe, memory_venue)

    definition = registry.get_definition(SLUG)
    params = registry.validate_params(definition, PARAMETERS)
    revision = DeploymentRevision.objects.get()
    anchor_ms = int(SignalGroup.objects.get().anchor_at.timestamp() * 1_000)
    view = view_of(
        [each.symbol for each in universe.instruments],
        [each.between(anchor_ms, int(universe.grid[-1]) + 1) for each in universe.candles],
        HOUR,
    )
    stored = [
        Instrument.objects.select_related("venue").get(pk=each.pk) for each in universe.instruments
    ]
    result = simulate_portfolio(
        view,
        definition.signals(view, params),
        kernel.rules_from_json(revision.rules),
        [markets.costs_for(each, each.venue) for each in stored],
        capital=10.0,
        trade_from_ms=int(universe.grid[universe.first]),
        goes_on=np.ones(len(stored), dtype=np.bool_),
    )
    for row, (instrument, of_market) in enumerate(zip(stored, result.of_market, strict=True)):
        expected = [
            (
                fill.leg.value,
                fill.side.value,
                money.from_lots(fill.lots, step=instrument.lot_step),
                money.from_ticks(fill.price_ticks, tick=instrument.tick_size),
                money.quantize_money(money.decimal_of(fill.fee)),
                from_milliseconds(
                    fill.open_time_ms if fill.at_open else HOUR.close_of(fill.open_time_ms)
                ),
            )
            for fill in of_market.fills
        ]
        booked = [
            (fill.order.leg, fill.side, fill.quantity, fill.price, fill.fee_in_quote, fill.venue_at)
            for fill in Fill.objects.filter(instrument=instrument)
            .select_related("order")
            .order_by("pk")
        ]
        assert booked == expected, instrument.symbol
        marks = DeploymentInstrument.objects.get(instrument=instrument).marks
        kept = wallets.marks_of(result.state.markets[row], wanted=result.state.wanted[row])
        assert marks == kept, instrument.symbol
    assert Fill.objects.filter(deployment=deployment).count() >= 12
    sides = set(Fill.objects.filter(order__leg="ENTRY").values_list("side", flat=True))
    assert sides == ({"BUY"} if kind is InstrumentKind.SPOT else {"BUY", "SELL"})
    assert GroupDecision.objects.count() == np.count_nonzero(
        ~np.isnan(view.close[:, view.open_time >= universe.grid[universe.first]])
    )


def test_a_long_outage_is_made_up_for_in_stretches_of_which_each_counts(memory_venue):
    universe = make_universe(InstrumentKind.SPOT)
    outage = 60
    universe.first = len(universe.grid) - outage
    deploy(universe)
    for instrument, candles in zip(universe.instruments, universe.candles, strict=True):
        market_factory.store_candles(instrument, HOUR, candles)
    group = SignalGroup.objects.get()
    ends_at = from_milliseconds(HOUR.close_of(int(universe.grid[-1])))

    def die() -> None:
        raise MemoryError

    crashpoints.arm("evaluation.stepped", visits=2, by=die)
    with pytest.raises(MemoryError):
        evaluation.evaluate_signal_group(group_id=group.pk, now=ends_at + timedelta(seconds=31))
    group.refresh_from_db()
    stretch = from_milliseconds(HOUR.close_of(int(universe.grid[universe.first + 49])))
    assert group.last_bar_close_at == stretch

    evaluation.evaluate_signal_group(group_id=group.pk, now=ends_at + timedelta(seconds=31))

    group.refresh_from_db()
    assert group.last_bar_close_at == ends_at
