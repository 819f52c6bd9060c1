"""What a deployment did beside what its replay did: executions, refusals and equity of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.curves import thinned_indices
from market import money
from market.enums import Leg, Side
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies.reasons import ReasonCode
from trading.domain.drift_columns import PairedTrade, Reference, attribute
from trading.domain.drift_trades import Execution, Payment, RoundTrip, round_trips
from trading.models import (
    Deployment,
    DeploymentDecision,
    Fill,
    FundingPayment,
    IntentStatus,
    OrderIntent,
)
from trading.selectors import holdings
from trading.services import live_drift_replay
from trading.services.live_drift_replay import Replay

#: Points of the chart of both lines.
_MOST_POINTS: Final = 400

_OPENING: Final = (Leg.ENTRY.value, Leg.LADDER.value)

#: What goes out at a close fills at the next bar's open on paper, at a level inside a bar otherwise.
_AT_OPEN: Final = (Leg.ENTRY.value, Leg.EXIT.value)

#: What the strategy itself says, and what comes too late; any other decision is a refusal of ours.
_NO_REFUSAL: Final = tuple(
    reason.value
    for reason in ReasonCode
    if reason.acts
    or reason
    in {
        ReasonCode.HOLD,
        ReasonCode.ORDER_PENDING,
        ReasonCode.NO_SIGNAL,
        ReasonCode.WARMING_UP,
        ReasonCode.LONG_NOT_ALLOWED,
        ReasonCode.SHORT_NOT_ALLOWED,
        ReasonCode.BELOW_MINIMUM,
        ReasonCode.NO_CAPITAL,
        ReasonCode.COOLDOWN,
        ReasonCode.DAILY_LIMIT,
        ReasonCode.RUN_LIMIT,
        ReasonCode.POSITION_LIMIT,
        ReasonCode.ORDER_EXPIRED,
        ReasonCode.DATA_STALE,
        ReasonCode.PARAMETERS_CHANGED,
    }
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both results, every trade with its columns, and points of both lines of equity."""

    begin_ms: int
    end_ms: int
    live_pnl: Decimal
    replay_pnl: Decimal
    trades: Sequence[PairedTrade]
    equity: list[list[float]]


def compare(deployment: Deployment) -> Comparison:
    """Return *deployment* beside its replay; raise what ``live_drift_replay.replay`` raises."""
    done = live_drift_replay.replay(deployment)
    timeframe = Timeframe(deployment.timeframe)
    instruments = holdings.instruments_of(deployment)
    steps = {each.symbol: each.lot_step for each in instruments}
    marks = _marks(done)
    until_ms = None if done.is_over else done.end_ms
    executions, payments = _executions(deployment, until_ms), _payments(deployment, until_ms)
    live, replayed = (
        round_trips(each, marks=marks, steps=steps, end_ms=done.end_ms, payments=paid)
        for each, paid in ((executions, payments), (done.executions, []))
    )
    trades = attribute(
        live,
        replayed,
        bar_ms=timeframe.milliseconds,
        reference=_reference(done, timeframe, marks),
        was_refused=_refusals(deployment, done),
    )
    return Comparison(
        begin_ms=done.begin_ms,
        end_ms=done.end_ms,
        live_pnl=_total(live),
        replay_pnl=_total(replayed),
        trades=trades,
        equity=_lines(deployment, executions, payments, done),
    )


def _total(trips: Sequence[RoundTrip]) -> Decimal:
    with localcontext(money.WIDE):
        return sum((trip.pnl for trip in trips), Decimal(0))


def _marks(done: Replay) -> dict[str, Decimal]:
    """Return the last close of each market."""
    closes = np.concatenate(done.closes, axis=1)
    return {
        symbol: money.decimal_of(float(row[~np.isnan(row)][-1]))
        for symbol, row in zip(done.symbols, closes, strict=True)
        if not np.isnan(row).all()
    }


def _executions(deployment: Deployment, end_ms: int | None) -> list[Execution]:
    """Return the fills of *deployment* in the order of time; those after *end_ms* are left for later."""
    fills = (
        Fill.objects.filter(deployment=deployment)
        .select_related("order__intent", "instrument")
        .order_by("venue_at", "pk")
    )
    if end_ms is not None:
        fills = fills.filter(venue_at__lte=from_milliseconds(end_ms))
    return [_execution(fill) for fill in fills]


def _payments(deployment: Deployment, end_ms: int | None) -> list[Payment]:
    """Return what fundings brought *deployment* in the order of time; its replay knows none."""
    rows = FundingPayment.objects.filter(deployment=deployment)
    if end_ms is not None:
        rows = rows.filter(paid_at__lte=from_milliseconds(end_ms))
    return [
        Payment(symbol, to_milliseconds(at), amount)
        for symbol, at, amount in rows.order_by("paid_at", "pk").values_list(
            "instrument__symbol", "paid_at", "amount"
        )
    ]


def _execution(fill: Fill) -> Execution:
    order, intent = fill.order, fill.order.intent
    in_base = fill.fee_currency == fill.instrument.base
    return Execution(
        symbol=fill.instrument.symbol,
        at_ms=to_milliseconds(fill.venue_at),
        side=Side(fill.side),
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee_in_quote or Decimal(0),
        decided_ms=to_milliseconds(intent.bar_close_at or fill.venue_at),
        order=str(order.intent_id),
        ordered=intent.quantity,
        by_hand=fill.is_manual or intent.decision_key.startswith("manual|"),
        lost=fill.fee if in_base else Decimal(0),
        at_open=order.leg in _AT_OPEN,
    )


def _refusals(deployment: Deployment, done: Replay) -> Callable[[str, int], bool]:
    """Return what tells whether something of ours refused an entry into a market at a close."""
    since = from_milliseconds(done.begin_ms)
    decisions = DeploymentDecision.objects.filter(
        deployment=deployment, bar_close_at__gte=since
    ).exclude(reason__in=_NO_REFUSAL)
    denied = OrderIntent.objects.filter(
        deployment=deployment,
        status=IntentStatus.DENIED,
        leg__in=_OPENING,
        bar_close_at__gte=since,
    ).exclude(reason_code=ReasonCode.DATA_STALE.value)
    found = {
        (symbol, to_milliseconds(closed_at))
        for rows in (decisions, denied)
        for symbol, closed_at in rows.values_list("instrument__symbol", "bar_close_at")
        if closed_at is not None
    }
    return lambda symbol, close_ms: (symbol, close_ms) in found


def _reference(done: Replay, timeframe: Timeframe, marks: dict[str, Decimal]) -> Reference:
    """Return what finds the first price of the bar at an instant; at the end it is the last one."""
    times = np.concatenate(done.times)
    opens = np.concatenate(done.opens, axis=1)
    rows = {symbol: row for row, symbol in enumerate(done.symbols)}

    def find(symbol: str, at_ms: int) -> Decimal | None:
        if at_ms >= done.end_ms:
            return marks.get(symbol)
        close_ms = timeframe.close_of(timeframe.open_of(at_ms))
        at = int(np.searchsorted(times, close_ms))
        if at == len(times) or times[at] != close_ms or np.isnan(opens[rows[symbol], at]):
            return None
        return money.decimal_of(float(opens[rows[symbol], at]))

    return find


def _lines(
    deployment: Deployment,
    executions: Sequence[Execution],
    payments: Sequence[Payment],
    done: Replay,
) -> list[list[float]]:
    """Return ``[ms, live, replay]`` at closes, thinned so that highs and lows of both stay."""
    times, replayed = np.concatenate(done.times), np.concatenate(done.equity)
    live = np.full(len(times), money.float_of(deployment.capital))
    closes = np.concatenate(done.closes, axis=1)
    for symbol, row in zip(done.symbols, closes, strict=True):
        own = [each for each in executions if each.symbol == symbol]
        if own:
            live += _worth(own, times, _known(row))
    for payment in payments:
        live[times >= payment.at_ms] += money.float_of(payment.amount)
    half = _MOST_POINTS // 2
    kept = np.union1d(thinned_indices(live, limit=half), thinned_indices(replayed, limit=half))
    return [[int(times[at]), float(live[at]), float(replayed[at])] for at in kept]


def _worth(
    executions: Sequence[Execution], times: NDArray[np.int64], closes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what was earned in a market up to each of *times*, what is held valued at *closes*."""
    signs = [1 if each.side is Side.BUY else -1 for each in executions]
    held = np.cumsum(
        [
            sign * money.float_of(each.quantity) - money.float_of(each.lost)
            for sign, each in zip(signs, executions, strict=True)
        ]
    )
    cash = np.cumsum(
        [
            -sign * money.float_of(each.quantity * each.price)
            # What a fee took in base units is gone from what is held, and is no payment.
            - (0.0 if each.lost else money.float_of(each.fee))
            for sign, each in zip(signs, executions, strict=True)
        ]
    )
    happened = [each.at_ms + each.at_open for each in executions]
    at = np.searchsorted(happened, times, side="right")
    earned = np.concatenate([[0.0], cash])[at] + np.concatenate([[0.0], held])[at] * closes
    return np.asarray(earned, dtype=np.float64)


def _known(closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return *closes* with the one before where there is none, 0 before the first."""
    at = np.where(np.isnan(closes), -1, np.arange(len(closes)))
    np.maximum.accumulate(at, out=at)
    return np.where(at < 0, 0.0, closes[np.maximum(at, 0)])
