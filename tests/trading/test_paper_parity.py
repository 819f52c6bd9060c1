"""Every strategy of one market on paper, bar by bar through rows, against a backtest of the same bars.

A hand-picked market for each: short averages and narrow levels on a lively walk, so that within some
dozen bars entries rest, expire and fill, ladders fill up, targets are taken in part, stops trail and
sessions end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from backtesting.engine import simulate
from exchanges.models import AccountKind, Instrument
from market import money
from market.candles import Candles
from market.enums import ExitReason, Leg
from market.timeframes import DAY_MS, Timeframe, from_milliseconds
from strategies import registry
from strategies.causality import generated_candles
from strategies.registry import all_definitions
from strategies.views import MarketView
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.domain import kernel
from trading.models import DeploymentRevision, Fill, SignalGroup
from trading.selectors import markets
from trading.services import evaluation, submission

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Case:
    """A strategy with parameters, how many bars it is fed, and how its trades have to end at least."""

    slug: str
    parameters: Mapping[str, Any]
    ends: frozenset[ExitReason]
    legs: frozenset[Leg] = frozenset({Leg.ENTRY})
    timeframe: Timeframe = Timeframe.M1
    bars: int = 30
    volatility: float = 0.004
    seed: int = 1
    fewest: int = 6


ENDS = frozenset
CASES = (
    Case(
        "dca-ladder",
        {
            "base_order_size_usdt": 400.0,
            "safety_order_size_usdt": 400.0,
            "safety_order_deviation_percent": 0.3,
            "tp1_percent": 0.3,
            "tp2_percent": 0.6,
            "tp3_percent": 1.2,
            "stop_loss_percent": 1.2,
            "reentry_cooldown_minutes": 2,
        },
        # Two slices are sold, then the stop that followed them ends the cycle.
        ENDS({ExitReason.STOP}),
        legs=frozenset({Leg.ENTRY, Leg.LADDER, Leg.TARGET}),
    ),
    Case(
        "opening-range",
        {
            "orb_timezone": "UTC",
            "orb_hour": 2,
            "orb_minute": 0,
            "session_end_time": "05:00",
            "confirm": "CLOSE_BREAK",
            "max_trades_per_day": 0,
            "weekdays_only": False,
        },
        ENDS({ExitReason.STOP, ExitReason.TARGET}),
        timeframe=Timeframe.M5,
        bars=60,
        volatility=0.006,
        seed=62,
    ),
    Case(
        "orphan-bands",
        {
            "bb_length": 5,
            "bb_stdev": 0.8,
            "trend_period": 8,
            "vol_filter_length": 3,
            "vol_ma_length": 3,
            "trail_stop_activation_percent": 0.2,
            "trail_offset_percent": 0.3,
        },
        ENDS({ExitReason.TRAIL, ExitReason.SIGNAL}),
        bars=35,
        volatility=0.006,
        seed=93,
    ),
    Case(
        "cpr-daily",
        {
            "rsi_threshold_entry": 100.0,
            "daily_rsi_period": 5,
            "band_mode": "OFF",
            "distance_threshold_percent": 0.01,
            "max_volatility_threshold_percent": 50.0,
            "use_monthly_cpr_filter_entry": False,
            "pullback_percent_for_entry": 0.1,
            "entry_window_minutes": 120,
        },
        ENDS({ExitReason.SIGNAL, ExitReason.TARGET}),
        timeframe=Timeframe.H1,
        bars=120,
        volatility=0.002,
        seed=2,
    ),
    Case(
        "premarket-breakout",
        {
            "timezone": "UTC",
            "premarket_start": "01:00",
            "premarket_end": "02:00",
            "session_end": "05:00",
            "premarket_max_deviation_percent": 5.0,
            "max_trades_per_day": 0,
            "weekdays_only": False,
        },
        ENDS({ExitReason.SIGNAL}),
        timeframe=Timeframe.M5,
        bars=60,
        volatility=0.002,
        seed=7,
    ),
    Case(
        "ema-crossover",
        {"short_ema_period": 2, "long_ema_period": 5, "take_profit_percent": 0.5},
        ENDS({ExitReason.SIGNAL, ExitReason.TARGET}),
        seed=2,
    ),
    Case(
        "kernel-envelope",
        {"h_bandwidth": 3.0, "window": 50, "mae_length": 20, "multiplier": 1.0},
        ENDS({ExitReason.STOP}),
    ),
    Case(
        "macd-mtf-forecast",
        {"htf": "5m", "fast_len": 2, "slow_len": 4, "signal_len": 2, "stop_loss_percent": 0.4},
        ENDS({ExitReason.SIGNAL}),
        volatility=0.002,
    ),
    Case(
        "rsi-divergence",
        {
            "rsi_period": 5,
            "lookback_period": 15,
            "stop_loss_percent": 0.4,
            "take_profit_percent": 0.8,
        },
        ENDS({ExitReason.STOP, ExitReason.TARGET}),
        volatility=0.006,
        seed=6,
    ),
)


def test_every_strategy_of_one_market_is_among_the_cases():
    known = {
        each.slug
        for each in all_definitions()
        if not each.requirements(each.params()).needs_universe
    }

    assert {case.slug for case in CASES} == known


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.slug)
def test_paper_fills_are_those_of_the_backtest(case, memory_venue, instrument):
    definition = registry.get_definition(case.slug)
    params = registry.validate_params(definition, case.parameters)
    warm_up = definition.requirements(params).bars(case.timeframe)
    history = market_of(case, warm_up)
    begins_at = from_milliseconds(int(history.open_time[warm_up]))
    owner = people.make_person()
    account = factory.make_account(owner, instrument, kind=AccountKind.PAPER, now=begins_at)
    deployment = factory.make_deployment(
        account,
        now=begins_at,
        is_started=False,
        strategy_slug=case.slug,
        timeframe=case.timeframe.value,
        parameters=dict(case.parameters),
    )

    feed(instrument, history, case.timeframe, first=warm_up)

    revision = DeploymentRevision.objects.get()
    stored = Instrument.objects.select_related("venue").get(pk=instrument.pk)
    result = simulate(
        history,
        definition.signals(MarketView(history, case.timeframe), params),
        kernel.rules_from_json(revision.rules),
        markets.costs_for(stored, stored.venue),
        capital=10_000.0,
        trade_from_ms=int(history.open_time[warm_up]),
    )
    expected = [
        (
            fill.leg.value,
            fill.side.value,
            money.from_lots(fill.lots, step=instrument.lot_step),
            money.from_ticks(fill.price_ticks, tick=instrument.tick_size),
            money.quantize_money(money.decimal_of(fill.fee)),
            from_milliseconds(
                fill.open_time_ms if fill.at_open else case.timeframe.close_of(fill.open_time_ms)
            ),
        )
        for fill in result.fills
    ]
    booked = [
        (fill.order.leg, fill.side, fill.quantity, fill.price, fill.fee_in_quote, fill.venue_at)
        for fill in Fill.objects.select_related("order").order_by("pk")
    ]
    assert booked == expected
    assert len(expected) >= case.fewest
    assert {Leg(leg) for leg, *_ in booked} >= case.legs
    assert {trade.exit_reason for trade in result.trades} >= case.ends
    held = deployment.positions.first()
    lots = money.to_lots(held.quantity, step=instrument.lot_step) if held else 0
    assert lots == result.state.lots


def market_of(case: Case, warm_up: int) -> Candles:
    """Return the warm-up and the bars that are fed, of which the first opens at a midnight in 2024."""
    candles = generated_candles(
        warm_up + case.bars, seed=case.seed, timeframe=case.timeframe, volatility=case.volatility
    )
    first_fed = market_factory.NEW_YEAR_MS + 10 * DAY_MS
    shift = first_fed - int(candles.open_time[warm_up])
    times, *prices = candles.columns()
    return Candles(times + shift, *prices)


def feed(instrument: Instrument, candles: Candles, timeframe: Timeframe, *, first: int) -> None:
    """Store bars one by one, as the feed does, and let orders go out after each."""
    market_factory.store_candles(instrument, timeframe, candles.slice(0, first))
    group = SignalGroup.objects.get()
    for index in range(first, len(candles)):
        market_factory.store_candles(instrument, timeframe, candles.slice(index, index + 1))
        closed_at = from_milliseconds(timeframe.close_of(int(candles.open_time[index])))
        now = closed_at + timedelta(milliseconds=200)
        evaluation.evaluate_signal_group(group_id=group.pk, now=now)
        submission.submit_due_intents(now=now)
