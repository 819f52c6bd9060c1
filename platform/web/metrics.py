"""The figures of the platform as a whole: those of the foundation and those that the apps can tell."""

from datetime import datetime
from typing import Final

from redis.exceptions import RedisError

from billing.selectors import money_figures as money
from exchanges.adapters.budget_states import BudgetState, budget_states
from exchanges.selectors import figures as candles
from foundation.metrics import exposition
from foundation.metrics.figures import FIGURES, DatabaseFigures, Figure, QueueFigures, Sample
from trading.selectors import figures as trading


def _candle_lag(now: datetime) -> list[Sample]:
    return [((timeframe.value,), lag) for timeframe, lag in candles.candle_lag_s(now=now).items()]


def _failing_feeds(_: datetime) -> list[Sample]:
    return [((), candles.failing_feeds())]


def _feeds_behind(_: datetime) -> list[Sample]:
    return [((timeframe.value,), count) for timeframe, count in candles.feeds_behind().items()]


def _quarantined(_: datetime) -> list[Sample]:
    return [((), candles.quarantined_bars())]


def _gaps(_: datetime) -> list[Sample]:
    return [((), candles.unconfirmed_gaps())]


def _orders(_: datetime) -> list[Sample]:
    return [((status.value,), count) for status, count in trading.orders_by_status().items()]


def _oldest_unknown(now: datetime) -> list[Sample]:
    return [((), trading.oldest_unknown_age_s(now=now))]


def _deployments(_: datetime) -> list[Sample]:
    return list(trading.deployments_by_state().items())


def _budgets(now: datetime) -> list[BudgetState]:
    try:
        return list(budget_states(now=now))
    except RedisError:
        # That it is away is a figure of its own.
        return []


def _budgets_used(now: datetime) -> list[Sample]:
    return [((each.name,), each.used_part) for each in _budgets(now)]


def _budgets_waiting(now: datetime) -> list[Sample]:
    return [((each.name,), each.waiting) for each in _budgets(now)]


def _bans(now: datetime) -> list[Sample]:
    return [((each.name,), each.banned_s) for each in _budgets(now)]


def _breakers(now: datetime) -> list[Sample]:
    return [((each.name,), float(each.is_broken)) for each in _budgets(now)]


def _ledger_violations(_: datetime) -> list[Sample]:
    return [((), money.ledger_violations())]


def _ledger_check_age(now: datetime) -> list[Sample]:
    return [((), money.ledger_check_age_s(now=now))]


def _notices(_: datetime) -> list[Sample]:
    return [((state,), count) for state, count in money.open_notices().items()]


PLATFORM_FIGURES: Final = (
    *FIGURES,
    Figure(
        "platform_candle_lag_seconds",
        "By how much the latest feed of a timeframe is overdue with its next closed bar.",
        ("timeframe",),
        _candle_lag,
    ),
    Figure("platform_candle_feeds_failing", "Feeds whose last try failed.", (), _failing_feeds),
    Figure(
        "platform_candle_feeds_behind",
        "Feeds that lack a bar which should long be there, by timeframe.",
        ("timeframe",),
        _feeds_behind,
    ),
    Figure(
        "platform_candles_quarantined",
        "Impossible bars that no possible one has replaced yet.",
        (),
        _quarantined,
    ),
    Figure(
        "platform_candle_gaps_open",
        "Holes among candles that their source has neither filled nor confirmed.",
        (),
        _gaps,
    ),
    Figure(
        "platform_orders",
        "Orders that are not finished, by status; UNKNOWN are those whose outcome is not learnt yet.",
        ("status",),
        _orders,
    ),
    Figure(
        "platform_orders_unknown_oldest_age_seconds",
        "Time since the oldest order of unknown outcome was sent; 0 if there is none.",
        (),
        _oldest_unknown,
    ),
    Figure(
        "platform_deployments",
        "Deployments, by what was asked, what is true and how they are.",
        ("desired", "actual", "health"),
        _deployments,
    ),
    Figure(
        "platform_venue_budget_used_ratio",
        "Part of the budget of calls to a venue from one address that is spent within its span.",
        ("budget",),
        _budgets_used,
    ),
    Figure(
        "platform_venue_budget_waiting",
        "Calls that wait for their turn in a budget.",
        ("budget",),
        _budgets_waiting,
    ),
    Figure(
        "platform_venue_ban_seconds",
        "For how long a venue still refuses our address; 0 if it does not.",
        ("budget",),
        _bans,
    ),
    Figure(
        "platform_venue_breaker_open",
        "Whether a venue is taken for broken, so that only exits and cancellations are sent.",
        ("budget",),
        _breakers,
    ),
    Figure(
        "platform_ledger_violations",
        "What the last comparison of the books has found wrong.",
        (),
        _ledger_violations,
    ),
    Figure(
        "platform_ledger_check_age_seconds",
        "Time since the books were compared; 0 before the first time.",
        (),
        _ledger_check_age,
    ),
    Figure(
        "platform_provider_notices",
        "Notices of payment providers that are not dealt with, by state.",
        ("state",),
        _notices,
    ),
)


def render(*, now: datetime) -> bytes:
    """Return all figures as text for Prometheus."""
    return exposition.render(DatabaseFigures(PLATFORM_FIGURES, now=now), QueueFigures(now=now))
