"""Questions about checks; those of a person name the owner, published ones are everybody's."""

from collections.abc import Sequence
from uuid import UUID

from backtesting.models import ClaimedWorkQuerySet, RunStatus, StrategyCheck
from backtesting.selectors.runs import Owner
from foundation import replica
from market.errors import NotFoundError
from strategies.models import StrategyVersion


class CheckNotFoundError(NotFoundError):
    """There is no such check, or it is somebody else's."""

    def __init__(self) -> None:
        super().__init__("There is no such check.")


def checks_for(
    owner: Owner, *, strategy_slug: str | None = None
) -> ClaimedWorkQuerySet[StrategyCheck]:
    """Return the checks of *owner*, newest first, of one strategy if it is named."""
    checks = StrategyCheck.objects.filter(owner_id=owner.pk)
    if strategy_slug is not None:
        checks = checks.filter(strategy_version__strategy__slug=strategy_slug)
    return checks.select_related("strategy_version__strategy", "instrument__venue").order_by("-pk")


def page_of_checks(
    owner: Owner, *, below: int | None, limit: int, strategy_slug: str | None = None
) -> Sequence[StrategyCheck]:
    """Return up to *limit* checks of *owner*, newest first, below a key; may lag by some seconds."""
    checks = checks_for(owner, strategy_slug=strategy_slug).using(replica.using())
    return list((checks if below is None else checks.filter(pk__lt=below))[:limit])


def get_check_for(owner: Owner, *, public_id: UUID) -> StrategyCheck:
    """Return a check of *owner*; raise CheckNotFoundError for any other."""
    try:
        return checks_for(owner).get(public_id=public_id)
    except StrategyCheck.DoesNotExist:
        raise CheckNotFoundError from None


def published_check(version: StrategyVersion) -> StrategyCheck | None:
    """Return the newest finished check of a strategy's *version* that everybody may see, or None."""
    return (
        StrategyCheck.objects.filter(
            strategy_version=version, is_published=True, status=RunStatus.DONE
        )
        .select_related("strategy_version__strategy", "instrument__venue")
        .order_by("-finished_at", "-pk")
        .first()
    )
