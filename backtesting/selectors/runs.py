"""Questions about runs; every one of them names the owner whose runs they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Func

from backtesting.models import BacktestRun, BacktestRunQuerySet, BacktestTrade
from foundation import replica
from market.errors import NotFoundError

#: Who asks. A stranger owns nothing, so nothing is found.
Owner = AbstractBaseUser | AnonymousUser


class BacktestNotFoundError(NotFoundError):
    """There is no such run, or it is somebody else's."""

    def __init__(self) -> None:
        super().__init__("There is no such backtest.")


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are asked for; None asks for all. *market* is written ``binance:BTC/USDT``."""

    status: str | None = None
    strategy: str | None = None
    market: str | None = None
    tag: str | None = None

    def apply(self, runs: BacktestRunQuerySet) -> BacktestRunQuerySet:
        """Return those of *runs* that are asked for."""
        venue, _, symbol = (self.market or "").partition(":")
        asked = {
            "status": self.status,
            "strategy_version__strategy__slug": self.strategy,
            "instrument__venue__code": venue if self.market else None,
            "instrument__symbol": symbol if self.market else None,
            "tags__contains": [self.tag.lower()] if self.tag else None,
        }
        return runs.filter(**{name: value for name, value in asked.items() if value is not None})


def runs_for(owner: Owner) -> BacktestRunQuerySet:
    """Return the runs of *owner*, newest first, without their equity curves."""
    runs = (
        BacktestRun.objects.present().filter(owner_id=owner.pk).defer("equity", "exposure", "lines")
    )
    return runs.select_related("strategy_version__strategy", "instrument__venue").order_by("-pk")


def page_of_runs(
    owner: Owner, *, below: int | None, limit: int, wanted: RunFilter
) -> Sequence[BacktestRun]:
    """Return up to *limit* runs of *owner*, newest first, below the key of one; may lag by some seconds."""
    runs = wanted.apply(runs_for(owner).using(replica.using()))
    return list((runs if below is None else runs.filter(pk__lt=below))[:limit])


def tags_of(owner: Owner) -> Sequence[str]:
    """Return the tags that *owner* has put on runs, by the alphabet."""
    runs = BacktestRun.objects.present().filter(owner_id=owner.pk).exclude(tags=[])
    tags = runs.order_by().values_list(Func(F("tags"), function="unnest"), flat=True)
    return sorted(set(tags))


def kinds_of(owner: Owner) -> Sequence[tuple[str, str, str, str]]:
    """Return slug and name of the strategy, venue and symbol of *owner*'s runs, each pair once."""
    runs = BacktestRun.objects.present().filter(owner_id=owner.pk)
    columns = (
        "strategy_version__strategy__slug",
        "strategy_version__strategy__name",
        "instrument__venue__code",
        "instrument__symbol",
    )
    return list(runs.order_by(*columns).values_list(*columns).distinct())


def get_run_for(owner: Owner, *, public_id: UUID) -> BacktestRun:
    """Return a run of *owner*; raise BacktestNotFoundError for any other."""
    try:
        return runs_for(owner).get(public_id=public_id)
    except BacktestRun.DoesNotExist:
        raise BacktestNotFoundError from None


def get_runs_for(owner: Owner, *, public_ids: Sequence[UUID]) -> Sequence[BacktestRun]:
    """Return runs of *owner* with their curves, in the order asked for; raise if one is not there."""
    found = {
        run.public_id: run for run in runs_for(owner).defer(None).filter(public_id__in=public_ids)
    }
    if found.keys() != set(public_ids):
        raise BacktestNotFoundError
    return [found[public_id] for public_id in public_ids]


def trades_of(
    run: BacktestRun, *, after: int = 0, symbol: str = "", limit: int | None = None
) -> Sequence[BacktestTrade]:
    """Return the trades of *run* in their order, those whose number is above *after*.

    With *symbol* those of one market of a universe. They never change; right after the run they may lag by some seconds.
    """
    trades = BacktestTrade.objects.using(replica.using()).filter(run_id=run.pk, number__gt=after)
    if symbol:
        trades = trades.filter(symbol=symbol)
    trades = trades.order_by("number")
    return list(trades if limit is None else trades[:limit])
