"""Backtests that the catalogue shows."""

from backtesting.services import evidence
from foundation.audit import Actor
from strategies.models import Evidence
from tests.factories import backtesting


def make_evidence(slug: str = "ema-crossover") -> Evidence:
    """Return evidence over 600 hours of a market that swings, in a filled catalogue."""
    backtesting.make_market()
    return evidence.record_evidence(
        strategy_slug=slug,
        market="binance:BTC/USDT",
        timeframe="1h",
        by=Actor.system("test"),
        now=backtesting.NOW,
    )
