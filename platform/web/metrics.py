"""The figures of the platform as a whole: those of the foundation and those that the apps can tell."""

from datetime import datetime
from typing import Final

from billing.selectors import money_figures as money
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
