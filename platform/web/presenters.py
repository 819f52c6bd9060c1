"""The dashboard: what is at work, what it has earned, and what happened last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from typing import Final

from django.urls import reverse

from backtesting.web.presenters import RunRow
from exchanges.web.equity import EquityPage
from trading.web.overview import Overview
from trading.web.presenters import State

_TAG_BYTES: Final = 5


@dataclass(frozen=True, slots=True)
class RecentBacktest:
    """A run; ``total_return`` is a fraction, None until the run is done."""

    url: str
    strategy: str
    market: str
    status: State
    requested_at: datetime
    total_return: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a new person."""

    title: str
    text: str
    url: str
    action: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything on the dashboard; ``steps`` is empty for a person who has deployed before."""

    trading: Overview
    equity: EquityPage
    backtests: Sequence[RecentBacktest]
    steps: Sequence[Step]

    @property
    def tag(self) -> str:
        """A digest of what is shown."""
        return blake2s(repr(self).encode(), digest_size=_TAG_BYTES).hexdigest()


def present_dashboard(
    overview: Overview, *, runs: Sequence[RunRow], equity: EquityPage, has_account: bool
) -> Dashboard:
    """Return the dashboard."""
    steps = [] if overview.total else _steps(has_run=bool(runs), has_account=has_account)
    return Dashboard(overview, equity, [_backtest(row) for row in runs], steps)


def _backtest(row: RunRow) -> RecentBacktest:
    run = row.run
    return RecentBacktest(
        url=reverse("backtesting:detail", args=[run.public_id]),
        strategy=row.strategy,
        market=row.market,
        status=State(run.status, run.get_status_display()),
        requested_at=run.requested_at,
        total_return=row.total_return,
    )


def _steps(*, has_run: bool, has_account: bool) -> list[Step]:
    return [
        Step(
            "Try a backtest",
            "See how a strategy would have done on recorded candles, costs included.",
            reverse("backtesting:new"),
            "New backtest",
            has_run,
        ),
        Step(
            "Connect an account, or use paper",
            "A paper account needs no key: its orders stay here.",
            reverse("exchanges:list"),
            "Choose an account",
            has_account,
        ),
        Step(
            "Deploy",
            "The strategy decides at each closed bar, and you see why.",
            reverse("trading:new"),
            "New deployment",
            is_done=False,
        ),
    ]
