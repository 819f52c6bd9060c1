"""The summary as the page shows it: tiles, tables, and what needs a hand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from market.enums import OrderStatus
from web.numerals import duration_text
from web.operations.summary import Figures

#: From these ages on, work that waits is a sign of trouble, in seconds.
_LATE_QUEUE_S: Final = 60.0
_LATE_OUTBOX_S: Final = 120.0
_LATE_MAIL_S: Final = 600.0
_LATE_CANDLES_S: Final = 180.0
#: In the order in which a deployment goes through them.
_STATES: Final = ("DRAFT", "STARTING", "RUNNING", "PAUSED", "STOPPING", "STOPPED", "FAILED")
#: Nothing happens in deployments of these.
_IDLE: Final = frozenset({"DRAFT", "STOPPED", "FAILED"})


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure with what stands behind it."""

    label: str
    value: int
    note: str
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs a hand, and where."""

    text: str
    url: str
    tone: str


@dataclass(frozen=True, slots=True)
class StateLine:
    """How many deployments are in one state, and how many of them are in trouble."""

    state: str
    count: int
    troubled: int
    url: str


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """Everything on the page."""

    figures: Figures
    concerns: Sequence[Concern]
    tiles: Sequence[Tile]
    states: Sequence[StateLine]


def present(figures: Figures) -> SummaryPage:
    """Return the page of *figures*."""
    return SummaryPage(figures, _concerns(figures), _tiles(figures), _states(figures))


def _tiles(figures: Figures) -> list[Tile]:
    people, orders = figures.people, figures.orders
    states = _by_state(figures)
    running = sum(count for state, count in states.items() if state not in _IDLE)
    unknown, review = orders[OrderStatus.UNKNOWN], orders[OrderStatus.MANUAL_REVIEW]
    working = sum(orders.values()) - unknown - review
    return [
        Tile(
            "People",
            people.total,
            f"{people.active:,} active, {people.new:,} new in 7 days",
            _list("accounts_user"),
        ),
        Tile(
            "Active deployments",
            running,
            f"{states['RUNNING']:,} running, {states['FAILED']:,} failed",
            _list("trading_deployment"),
        ),
        Tile(
            "Orders under way",
            working,
            f"{unknown:,} unknown, {review:,} to review",
            _list("trading_order"),
            "danger" if review else "warning" if unknown else "",
        ),
        Tile(
            "Subscriptions",
            figures.active_subscriptions,
            f"{len(figures.ending):,}{'+' if len(figures.ending) >= 8 else ''} end within 7 days",
            _list("billing_subscription"),
        ),
        Tile(
            "Backtests today",
            sum(figures.runs.values()),
            f"{figures.runs['QUEUED'] + figures.runs['RUNNING']:,} under way, {figures.runs['FAILED']:,} failed",
            _list("backtesting_backtestrun"),
        ),
    ]


def _states(figures: Figures) -> list[StateLine]:
    counts = _by_state(figures)
    troubled: Counter[str] = Counter()
    for (_, actual, health), count in figures.deployments.items():
        if health != "OK":
            troubled[actual] += count
    return [
        StateLine(
            state, counts[state], troubled[state], _list("trading_deployment", actual_state=state)
        )
        for state in _STATES
        if counts[state]
    ]


def _by_state(figures: Figures) -> Counter[str]:
    counts: Counter[str] = Counter()
    for (_, actual, _health), count in figures.deployments.items():
        counts[actual] += count
    return counts


def _concerns(figures: Figures) -> list[Concern]:
    return [
        *_of_orders(figures),
        *_of_reports(figures),
        *_of_deployments(figures),
        *_of_processes(figures),
        *_of_budgets(figures),
        *_of_strategies(figures),
        *_of_backlogs(figures),
    ]


def _of_orders(figures: Figures) -> list[Concern]:
    found = []
    review, unknown = (
        figures.orders[OrderStatus.MANUAL_REVIEW],
        figures.orders[OrderStatus.UNKNOWN],
    )
    if review:
        text = f"{review:,} {_plural(review, 'order waits', 'orders wait')} for a person to look."
        found.append(Concern(text, _orders(OrderStatus.MANUAL_REVIEW), "danger"))
    if unknown:
        age = duration_text(figures.oldest_unknown_age_s)
        text = f"The outcome of {unknown:,} {_plural(unknown, 'order', 'orders')} is not learnt, for {age}."
        found.append(Concern(text, _orders(OrderStatus.UNKNOWN), "warning"))
    return found


def _of_reports(figures: Figures) -> list[Concern]:
    if not figures.findings:
        return []
    count = sum(report.finding_count for report in figures.findings)
    text = f"The daily reports on accounts name {count:,} {_plural(count, 'finding', 'findings')}."
    return [Concern(text, _list("trading_reconciliationreport"), "danger")]


def _of_deployments(figures: Figures) -> list[Concern]:
    troubled = sum(
        count
        for (_, actual, health), count in figures.deployments.items()
        if health != "OK" and actual not in _IDLE
    )
    if not troubled:
        return []
    text = f"{troubled:,} {_plural(troubled, 'deployment needs', 'deployments need')} attention."
    return [Concern(text, _list("trading_deployment", health="DEGRADED"), "warning")]


def _of_processes(figures: Figures) -> list[Concern]:
    found = []
    silent = [line.name for line in figures.processes if line.is_late]
    if silent:
        text = f"No sign of life from {', '.join(silent)}."
        found.append(Concern(text, _list("foundation_heartbeat"), "danger"))
    if figures.queues is None:
        found.append(Concern("The broker of the queues does not answer.", "", "danger"))
    for queue in figures.queues or ():
        if queue.age_s > _LATE_QUEUE_S:
            text = f"The queue “{queue.name}” is {duration_text(queue.age_s)} behind."
            found.append(Concern(text, "", "warning"))
    return found


def _of_budgets(figures: Figures) -> list[Concern]:
    found = []
    for budget in figures.budgets:
        if budget.banned_s:
            text = f"{budget.name} refuses calls from here for {duration_text(budget.banned_s)}."
            found.append(Concern(text, "", "danger"))
        if budget.is_broken:
            text = f"{budget.name} fails too often: only exits and cancellations are sent."
            found.append(Concern(text, "", "danger"))
    return found


def _of_strategies(figures: Figures) -> list[Concern]:
    return [
        Concern(
            f"The strategy “{entry.name}” of {entry.package or 'an installed package'} cannot be used: "
            f"{entry.reason}",
            "",
            "warning",
        )
        for entry in figures.broken_strategies
    ]


def _of_backlogs(figures: Figures) -> list[Concern]:
    found = []
    if figures.outbox_age_s > _LATE_OUTBOX_S:
        text = f"{figures.outbox:,} events wait, for {duration_text(figures.outbox_age_s)}."
        found.append(Concern(text, _list("foundation_outboxevent"), "warning"))
    if figures.mail.oldest_age_s > _LATE_MAIL_S:
        text = (
            f"{figures.mail.waiting:,} mails wait, for {duration_text(figures.mail.oldest_age_s)}."
        )
        found.append(Concern(text, _list("accounts_mail"), "warning"))
    if figures.mail.given_up:
        text = f"{figures.mail.given_up:,} mails of the last 7 days were given up."
        found.append(Concern(text, _list("accounts_mail"), "warning"))
    late = {name: lag for name, lag in figures.candle_lag_s.items() if lag > _LATE_CANDLES_S}
    for name, lag in late.items():
        text = f"Candles of {name} are {duration_text(lag)} late."
        found.append(Concern(text, _list("exchanges_candlefeed", timeframe=name), "warning"))
    for name, count in figures.feeds_behind.items():
        text = (
            f"{count:,} {_plural(count, 'feed', 'feeds')} of {name} candles "
            f"{_plural(count, 'is', 'are')} behind; the people who depend on "
            f"{_plural(count, 'it', 'them')} were told."
        )
        found.append(Concern(text, _list("exchanges_candlefeed", timeframe=name), "danger"))
    if figures.failing_feeds:
        count = figures.failing_feeds
        text = f"{count:,} {_plural(count, 'candle feed fails', 'candle feeds fail')}."
        found.append(Concern(text, _list("exchanges_candlefeed"), "warning"))
    return found


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _orders(status: OrderStatus) -> str:
    return _list("trading_order", status=status.value)


def _list(name: str, **exactly: str) -> str:
    address = reverse(f"admin:{name}_changelist")
    query = urlencode({f"{field}__exact": value for field, value in exactly.items()})
    return f"{address}?{query}" if query else address
