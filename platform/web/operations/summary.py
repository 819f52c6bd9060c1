"""What operators see first: figures of every app, and what needs a hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from accounts.selectors import figures as people
from accounts.selectors.figures import MailFigures, PeopleFigures
from backtesting.selectors import figures as backtests
from billing.selectors import figures as billing
from exchanges.adapters.budget_states import BudgetState, budget_states
from exchanges.selectors import figures as candles
from foundation import audit, heartbeats
from foundation.metrics.figures import outbox_backlog, queue_states
from market.enums import OrderStatus
from strategies import registry
from strategies.registry import BrokenEntry
from strategies.selectors import catalogue
from trading.selectors import figures as trading
from web.views.health import expected_processes

if TYPE_CHECKING:
    from billing.models import Subscription
    from strategies.models import Strategy
    from trading.models import ReconciliationReport

_SOON: Final = timedelta(days=7)
_SHOWN: Final = 8
_DEEDS: Final = 12
_PERSON: Final = "person"


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One queue: how many messages wait, and the oldest since when in seconds."""

    name: str
    length: int
    age_s: float


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """One process; ``age_s`` None was never seen, ``is_late`` is longer silent than it may be."""

    name: str
    age_s: float | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class StrategyLine:
    """One strategy and how many use it."""

    strategy: "Strategy"
    running: int
    deployments: int
    subscriptions: int


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of the audit trail; ``actor`` and ``concerns`` are addresses where they are people's."""

    at: datetime
    actor: str
    verb: str
    concerns: str
    url_id: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything on the summary page, as it was at one instant; ``queues`` None while the broker is away."""

    people: PeopleFigures
    deployments: Mapping[tuple[str, str, str], int]
    orders: Mapping[OrderStatus, int]
    oldest_unknown_age_s: float
    findings: Sequence["ReconciliationReport"]
    strategies: Sequence[StrategyLine]
    broken_strategies: Sequence[BrokenEntry]
    active_subscriptions: int
    ending: Sequence["Subscription"]
    runs: Mapping[str, int]
    queues: Sequence[QueueLine] | None
    processes: Sequence[ProcessLine]
    candle_lag_s: Mapping[str, float]
    failing_feeds: int
    feeds_behind: Mapping[str, int]
    outbox: int
    outbox_age_s: float
    mail: MailFigures
    deeds: Sequence[Deed]
    budgets: Sequence[BudgetState]


def gather(*, now: datetime) -> Figures:
    """Return the figures at *now*: a fixed number of queries, however many rows there are."""
    subscriptions = billing.active_by_product(now=now)
    outbox, outbox_age_s = outbox_backlog(now=now)
    return Figures(
        people=people.people_figures(now=now),
        deployments=trading.deployments_by_state(),
        orders=trading.orders_by_status(),
        oldest_unknown_age_s=trading.oldest_unknown_age_s(now=now),
        findings=trading.reports_with_findings(now=now, most=_SHOWN),
        strategies=_strategies(subscriptions),
        broken_strategies=registry.broken_entries(),
        active_subscriptions=sum(subscriptions.values()),
        ending=billing.ending_within(_SOON, now=now, most=_SHOWN),
        runs={status.value: count for status, count in backtests.runs_of_a_day(now=now).items()},
        queues=_queues(now),
        processes=_processes(now),
        candle_lag_s={each.value: lag for each, lag in candles.candle_lag_s(now=now).items()},
        failing_feeds=candles.failing_feeds(),
        feeds_behind={each.value: count for each, count in candles.feeds_behind().items()},
        outbox=outbox,
        outbox_age_s=outbox_age_s,
        mail=people.mail_figures(now=now),
        deeds=_deeds(),
        budgets=_budgets(now),
    )


def _strategies(subscriptions: Mapping[str, int]) -> list[StrategyLine]:
    deployed = trading.deployments_by_strategy()
    lines = []
    for strategy in catalogue.active_strategies():
        running, all_of_them = deployed.get(strategy.pk, (0, 0))
        held = subscriptions.get(strategy.product_code, 0)
        lines.append(StrategyLine(strategy, running, all_of_them, held))
    return sorted(lines, key=lambda line: (-line.running, -line.subscriptions, line.strategy.name))


def _queues(now: datetime) -> list[QueueLine] | None:
    try:
        states = queue_states(now=now)
    except RedisError:
        return None
    return [QueueLine(name, length, age_s) for name, (length, age_s) in states.items()]


def _budgets(now: datetime) -> list[BudgetState]:
    try:
        return list(budget_states(now=now))
    except RedisError:
        # The line of the queues says that it is away.
        return []


def _processes(now: datetime) -> list[ProcessLine]:
    ages = heartbeats.ages_s(now=now)
    return [
        ProcessLine(name, ages.get(name), ages.get(name, within_s + 1) > within_s)
        for name, within_s in expected_processes().items()
    ]


def _deeds() -> list[Deed]:
    entries = audit.latest(most=_DEEDS)
    ids = {int(entry.actor_identifier) for entry in entries if _is_person(entry.actor_kind)}
    addresses = people.addresses_of(ids)
    return [
        Deed(
            at=entry.at,
            actor=addresses.get(int(entry.actor_identifier), entry.actor_identifier)
            if _is_person(entry.actor_kind)
            else entry.actor_identifier,
            verb=entry.verb,
            concerns=entry.owner.email if entry.owner else entry.target_kind.partition(".")[2],
            url_id=entry.pk,
        )
        for entry in entries
    ]


def _is_person(kind: str) -> bool:
    return kind == _PERSON
