"""Questions about runs; every one of them names the owner whose runs they are."""

from collections.abc import Sequence
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from backtesting.models import BacktestRun, BacktestRunQuerySet, BacktestTrade
from foundation import replica
from market.errors import NotFoundError

#: Who asks. A stranger owns nothing, so nothing is found.
Owner = AbstractBaseUser | AnonymousUser


class BacktestNotFoundError(NotFoundError):
    """There is no such run, or it is somebody else's."""

    def __init__(self) -> None:
        super().__init__("There is no such backtest.")


def runs_for(owner: Owner) -> BacktestRunQuerySet:
    """Return the runs of *owner*, newest first, without their equity curves."""
    runs = BacktestRun.objects.filter(owner_id=owner.pk).defer("equity")
    return runs.select_related("strategy_version__strategy", "instrument__venue").order_by("-pk")


def page_of_runs(
    owner: Owner,
    *,
    below: int | None,
    limit: int,
    status: str | None = None,
    strategy_slug: str | None = None,
) -> Sequence[BacktestRun]:
    """Return up to *limit* runs of *owner*, newest first, below the key of one; may lag by some seconds."""
    asked = {
        "pk__lt": below,
        "status": status,
        "strategy_version__strategy__slug": strategy_slug,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    return list(runs_for(owner).using(replica.using()).filter(**given)[:limit])


def get_run_for(owner: Owner, *, public_id: UUID) -> BacktestRun:
    """Return a run of *owner*; raise BacktestNotFoundError for any other."""
    try:
        return runs_for(owner).get(public_id=public_id)
    except BacktestRun.DoesNotExist:
        raise BacktestNotFoundError from None


def trades_of(
    run: BacktestRun, *, after: int = 0, limit: int | None = None
) -> Sequence[BacktestTrade]:
    """Return the trades of *run* in their order, those whose number is above *after*.

    They never change; right after the run they may lag by some seconds.
    """
    trades = BacktestTrade.objects.using(replica.using()).filter(run_id=run.pk, number__gt=after)
    trades = trades.order_by("number")
    return list(trades if limit is None else trades[:limit])
