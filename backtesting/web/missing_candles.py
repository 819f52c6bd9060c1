"""What the form of a backtest says about candles that are not stored, and has done about it."""

from datetime import timedelta
from typing import Final

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone

from backtesting.models import BacktestRun
from backtesting.services import missing_history
from backtesting.web.forms import RunForm
from foundation.http import actor_of
from market.errors import PlatformError
from market.timeframes import Timeframe
from strategies.shapes import Requirements

_NAMED: Final = 5


def fetch(request: HttpRequest, form: RunForm, needs: Requirements | None) -> None:
    """Have the candles that a run like this lacks fetched, and say what is on its way."""
    wish, now = form.wish(), timezone.now()
    timeframe = Timeframe(wish["timeframe"])
    try:
        missing = missing_history.find_missing(
            market=wish.get("market", ""),
            universe=wish.get("universe", ""),
            timeframe=timeframe,
            from_at=wish["from_at"],
            to_at=wish["to_at"],
            warm_up_bars=needs.bars(timeframe) if needs is not None else 0,
            now=now,
        )
        asked = missing_history.fetch_missing(
            missing, owner=request.user, by=actor_of(request), now=now
        )
    except PlatformError as error:
        form.add_problems(error)
        return
    if asked:
        names = ", ".join(f"{each.bars:,} bars of {each.symbol}" for each in asked[:_NAMED])
        messages.info(request, f"{names}: on the way. Market data shows when they are there.")
    elif missing:
        messages.warning(request, "This exchange gives no candles now; import them instead.")
    else:
        messages.info(request, "Every candle of this window that the exchange has is stored.")


def tell_of_a_shorter_window(request: HttpRequest, form: RunForm, run: BacktestRun) -> None:
    """Say so if candles are stored for a part of the window only."""
    wish = form.wish()
    bar = timedelta(milliseconds=Timeframe(run.timeframe).milliseconds)
    if run.from_at - wish["from_at"] >= bar or wish["to_at"] - run.to_at >= bar:
        messages.warning(
            request,
            f"Candles are stored from {run.from_at:%Y-%m-%d %H:%M} to {run.to_at:%Y-%m-%d %H:%M} UTC only; "
            "the backtest looks at those. The form of a new one can have the others fetched.",
        )
