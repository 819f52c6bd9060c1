"""What is said of a backtest for which fewer candles are stored than it asked for."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest

from backtesting.models import BacktestRun
from backtesting.web.forms import RunForm
from market.timeframes import Timeframe


def tell_of_a_shorter_window(request: HttpRequest, form: RunForm, run: BacktestRun) -> None:
    """Say so if candles are stored for a part of the window only."""
    wish = form.wish()
    bar = timedelta(milliseconds=Timeframe(run.timeframe).milliseconds)
    if run.from_at - wish["from_at"] >= bar or wish["to_at"] - run.to_at >= bar:
        messages.warning(
            request,
            f"Candles are stored from {run.from_at:%Y-%m-%d %H:%M} to {run.to_at:%Y-%m-%d %H:%M} UTC only; "
            "the backtest looks at those. “Fetch, then run” gets the others where the exchange has them.",
        )
