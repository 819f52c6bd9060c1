"""Sweeps over the market that swings."""

from typing import Any

from accounts.models import User
from backtesting.models import Sweep
from backtesting.services import chunks, sweeps
from backtesting.services.sweep_plans import SweepWish
from foundation.audit import Actor
from tests.factories import backtesting as factory

NOW = factory.NOW


def wish(**changes: Any) -> dict[str, Any]:
    """Return the arguments of a valid request of nine trials, except who asks and when."""
    return {
        **factory.wish(parameters={"stop_loss_percent": 3.0}),
        "space": {
            "short_ema_period": {"from": 5, "to": 9, "step": 2},
            "take_profit_percent": {"values": [2.0, 4.0, 8.0]},
        },
        **changes,
    }


def make_sweep(owner: User, *, now: Any = NOW, **changes: Any) -> Sweep:
    """Return a waiting sweep; the market has to be there."""
    return sweeps.request_sweep(
        owner=owner, wish=SweepWish(**wish(**changes)), by=Actor.person(owner.pk), now=now
    )


def work_through(sweep: Sweep, *, now: Any = NOW) -> Sweep:
    """Compute all chunks of *sweep*, as workers do."""
    for _ in range(sweep.chunks.count()):
        chunks.work_on_sweep(sweep_id=sweep.pk, now=now)
    sweep.refresh_from_db()
    return sweep


def best_of(sweep: Sweep) -> dict[str, Any]:
    """Return the best trial of *sweep*, which has one."""
    assert sweep.best is not None
    best: dict[str, Any] = sweep.best
    return best


def make_done_sweep(owner: User, *, now: Any = NOW, **changes: Any) -> Sweep:
    """Return a sweep with its trials; the market has to be there."""
    return work_through(make_sweep(owner, now=now, **changes), now=now)
