"""The life of a check: requested, claimed by a worker, and done, failed or canceled.

It lives as a run does (see ``runs``): the row decides, a message only says where to look.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from backtesting.domain.checks import CheckReport, check_strategy
from backtesting.domain.specification import Specification
from backtesting.models import RunStatus, StrategyCheck
from backtesting.selectors import specifications as stored
from backtesting.selectors import universes, usage
from backtesting.selectors.runs import Owner
from backtesting.services import claims, specifications
from billing.services import entitlements
from billing.services.entitlements import Limit
from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.errors import ConflictError, FieldProblem, InvalidInputError, UnprocessableError
from market.timeframes import Timeframe
from strategies import registry
from strategies.registry import Definition, UnknownStrategyError
from strategies.shapes import StrategyParams

logger = logging.getLogger(__name__)

#: A check computes some hundred times what a run does, so it may be shorter only.
MAXIMUM_BARS: Final = 50_000
#: How many checks of one person may wait or run at the same time.
MAXIMUM_UNFINISHED: Final = 3
_USUAL: Final = (Timeframe.H1, Timeframe.M15, Timeframe.M5, Timeframe.M1)
TASK: Final = "backtesting.execute_check"


class TooManyChecksError(UnprocessableError):
    """The person has too many unfinished checks."""

    code = "too_many_checks"


class CheckFinishedError(ConflictError):
    """The check is over, so there is nothing to cancel."""

    def __init__(self, status: str) -> None:
        super().__init__(f"This check is over already ({RunStatus(status).label.lower()}).")


def specify(
    *,
    strategy_slug: str,
    market: str,
    timeframe: str,
    from_at: datetime,
    to_at: datetime,
    parameters: Mapping[str, object],
    parameters_are_text: bool = False,
    capital: Decimal = specifications.DEFAULT_CAPITAL,
    fee_bps: Decimal | None = None,
    slippage_bps: Decimal = specifications.DEFAULT_SLIPPAGE_BPS,
    now: datetime,
) -> Specification:
    """Return the specification of a check, or raise InvalidRunError with all problems at once.

    As ``specifications.specify``; a strategy that looks at many markets is shown those that are like
    *market*. A window has to be longer than its warm-up, or nothing could
    be compared behind it, and no longer than MAXIMUM_BARS.
    """
    looks_at_many = _looks_at_many(strategy_slug)
    found = specifications.specify(
        strategy_slug=strategy_slug,
        market=market,
        universe=universes.universe_around(market, timeframe) if looks_at_many else "",
        timeframe=timeframe,
        from_at=from_at,
        to_at=to_at,
        parameters=parameters,
        parameters_are_text=parameters_are_text,
        capital=capital,
        fee_bps=fee_bps,
        slippage_bps=slippage_bps,
        now=now,
    )
    bars, warm_up = found.window.asked_bars, found.warm_up_bars
    if bars > MAXIMUM_BARS:
        raise _problem(
            "too_many_bars",
            f"This window has {bars:,} bars; at most {MAXIMUM_BARS:,} can be checked at once.",
        )
    if bars <= warm_up + 1:
        raise _problem(
            "too_few_bars",
            f"This window has {bars:,} bars; to check a warm-up of {warm_up:,}, more than "
            f"{warm_up + 1:,} are needed behind it.",
        )
    return found


def compute(
    specification: Specification, *, progress: Callable[[float], None] | None = None
) -> CheckReport:
    """Return what every check comes to on the stored candles; nothing is written.

    Errors as for ``domain.checks.check_strategy``.
    """
    read = stored.universe_of if specification.universe else stored.candles_of
    return check_strategy(specification, read(specification), progress=progress)


def _looks_at_many(strategy_slug: str) -> bool:
    try:
        definition = registry.get_definition(strategy_slug)
    except UnknownStrategyError:
        return False
    return definition.requirements(definition.default_params()).needs_universe


def timeframe_for(definition: Definition, *, params: StrategyParams, text: str | None) -> Timeframe:
    """Return the timeframe called *text*, or one that suits the strategy if there is no text.

    Raises InvalidInputError if there is no such timeframe, or the strategy cannot run on it.
    """
    objection = definition.requirements(params).objection
    if text is None:
        return next((each for each in _USUAL if not objection(each)), _USUAL[-1])
    try:
        timeframe = Timeframe(text)
    except ValueError:
        raise InvalidInputError(f"“{text[:40]}” is no timeframe.") from None
    if objection(timeframe):
        raise InvalidInputError(objection(timeframe))
    return timeframe


@transactional
def request_check(
    *,
    owner: Owner,
    strategy_slug: str,
    market: str,
    timeframe: str,
    from_at: datetime,
    to_at: datetime,
    parameters: Mapping[str, object],
    parameters_are_text: bool = False,
    is_published: bool = False,
    by: Actor,
    now: datetime,
) -> StrategyCheck:
    """Store a check and send for a worker; return the present one if an equal one waits or runs.

    Arguments and errors as for ``specify``; it also raises PlanLimitError, because a check counts
    as one backtest of the day, and TooManyChecksError. Only an operator's may be published.
    """
    specification = specify(
        strategy_slug=strategy_slug,
        market=market,
        timeframe=timeframe,
        from_at=from_at,
        to_at=to_at,
        parameters=parameters,
        parameters_are_text=parameters_are_text,
        now=now,
    )
    spec_hash = specification.spec_hash()
    mine = StrategyCheck.objects.filter(owner_id=owner.pk)
    try:
        with transaction.atomic():
            check = StrategyCheck.objects.create(
                owner_id=cast(int, owner.pk),
                **specifications.columns_of(specification),
                spec_hash=spec_hash,
                is_published=is_published,
                requested_at=now,
                lease_until=Now() + claims.message_time(),
            )
    except IntegrityError:
        return mine.unfinished().get(spec_hash=spec_hash, is_published=is_published)
    # Counted after writing: what is refused here is rolled back with everything else.
    _require_place(owner, specification, now=now)
    if mine.unfinished().count() > MAXIMUM_UNFINISHED:
        raise TooManyChecksError(
            f"{MAXIMUM_UNFINISHED} of your checks are waiting. Let one finish, or cancel one."
        )
    audit.record(
        actor=by,
        verb="check.requested",
        target=check,
        owner_id=check.owner_id,
        detail={"strategy": specification.definition.slug, "published": is_published},
    )
    enqueue_on_commit(TASK, check_id=check.pk)
    return check


def repeat_check(*, check_id: int, by: Actor, now: datetime) -> StrategyCheck:
    """Request a check once more with the code and the candles as they are now, for the same person.

    Raises what ``request_check`` raises.
    """
    check = StrategyCheck.objects.select_related(
        "owner", "strategy_version__strategy", "instrument__venue"
    ).get(pk=check_id)
    return request_check(
        owner=check.owner,
        strategy_slug=check.strategy_version.strategy.slug,
        market=f"{check.instrument.venue.code}:{check.instrument.symbol}",
        timeframe=check.timeframe,
        from_at=check.from_at,
        to_at=check.to_at,
        # Text, because JSON has no word for an enum's member.
        parameters={name: str(value) for name, value in check.parameters.items()},
        parameters_are_text=True,
        is_published=check.is_published,
        by=by,
        now=now,
    )


@transactional
def cancel_check(*, check_id: int, by: Actor, now: datetime) -> StrategyCheck:
    """End a waiting check at once, and ask the worker of a running one to stop soon.

    Raises CheckFinishedError if it is over.
    """
    check = StrategyCheck.objects.select_for_update(of=("self",)).get(pk=check_id)
    if check.is_finished:
        raise CheckFinishedError(check.status)
    claims.request_end(check, now=now)
    audit.record(actor=by, verb="check.canceled", target=check, owner_id=check.owner_id)
    return check


@transactional
def sweep_checks(*, now: datetime) -> int:
    """Look after checks whose message or worker was lost; return how many there were."""
    return claims.look_after(StrategyCheck.objects.all(), task=TASK, argument="check_id", now=now)


def _require_place(owner: Owner, specification: Specification, *, now: datetime) -> None:
    """Go on if the person's plan allows the check that was just written; raise PlanLimitError if not."""
    bars = specification.window.asked_bars
    entitlements.require(owner, limit=Limit.BARS_PER_RUN, used=0, asked=bars, now=now)
    entitlements.require(
        owner,
        limit=Limit.BACKTESTS_PER_DAY,
        used=lambda: usage.count_runs_today(cast(int, owner.pk), now) - 1,
        now=now,
    )


def _problem(code: str, message: str) -> specifications.InvalidRunError:
    return specifications.InvalidRunError(message, problems=[FieldProblem("from", code, message)])
