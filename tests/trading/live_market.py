"""A market in memory that walks through bars, with a platform that reacts to each of its prices."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple, Protocol

from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.protocol import InstrumentReport
from exchanges.models import ExchangeAccount, Instrument
from market import money
from market.candles import Candles
from market.enums import InstrumentKind, OrderStatus, Side
from market.timeframes import Timeframe, from_milliseconds
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.models import Deployment, DeploymentPosition, Order, SignalGroup
from trading.services import evaluation, reconciliation, submission

ZERO = Decimal(0)
SWAP = "BTC/USDT:USDT"
TICK = Decimal("0.01")


def make_swap() -> tuple[Instrument, InstrumentReport]:
    """Return a swap at the venue in memory: the row, and what the venue says of it."""
    venue = market_factory.make_venue(
        factory.VENUE_CODE, ccxt_id="memory", takes_live_accounts=True
    )
    row = market_factory.make_instrument(
        SWAP,
        venue=venue,
        kind=InstrumentKind.LINEAR_SWAP,
        base="BTC",
        quote="USDT",
        settle="USDT",
    )
    report = InstrumentReport(
        symbol=SWAP,
        base="BTC",
        quote="USDT",
        tick_size=row.tick_size,
        lot_step=row.lot_step,
        minimum_quantity=row.minimum_quantity,
        minimum_notional=row.minimum_notional,
        is_active=True,
        kind=InstrumentKind.LINEAR_SWAP,
        settle="USDT",
    )
    return row, report


class Resting(NamedTuple):
    """An order that rests at a venue, by the venue's own word."""

    client_order_id: str
    side: Side
    level: Decimal
    remaining: Decimal
    reduces: bool
    is_stop: bool


class Exchange(Protocol):
    """What a market is walked through by: its price, and its own truth of one account."""

    def quote(self) -> Decimal: ...

    def move(self, price: Decimal) -> None: ...

    def executions(self) -> int: ...

    def resting(self) -> list[Resting]: ...

    def held(self) -> Decimal: ...


@dataclass
class MemoryExchange:
    """The venue in memory."""

    venue: InMemoryVenue
    symbol: str

    def quote(self) -> Decimal:
        return self.venue.book.prices[self.symbol]

    def move(self, price: Decimal) -> None:
        self.venue.set_price(self.symbol, price)

    def executions(self) -> int:
        return len(self.venue.book.fills)

    def resting(self) -> list[Resting]:
        return [
            Resting(
                order.request.client_order_id,
                order.request.side,
                order.request.trigger_price or order.request.price or Decimal(0),
                order.remaining,
                order.request.reduce_only,
                order.request.trigger_price is not None,
            )
            for order in self.venue.orders
            if order.is_working
        ]

    def held(self) -> Decimal:
        return sum(
            (
                fill.quantity if fill.side is Side.BUY else -fill.quantity
                for _, fill in self.venue.book.fills
            ),
            Decimal(0),
        )


@dataclass
class LiveMarket:
    """One account's deployment at an exchange that is walked through bars; ``faults`` is what went wrong."""

    exchange: Exchange
    account: ExchangeAccount
    deployment: Deployment
    instrument: Instrument
    timeframe: Timeframe
    now: datetime

    def __post_init__(self) -> None:
        self.faults: list[str] = []
        self._heard = 0
        self.ends_at = self.now

    def walk(self, candles: Candles, *, first: int) -> None:
        """Store the bars up to *first*, then go through the others one by one."""
        market_factory.store_candles(self.instrument, self.timeframe, candles.slice(0, first))
        group = SignalGroup.objects.get()
        for index in range(first, len(candles)):
            self._walk_bar(candles, index)
            market_factory.store_candles(
                self.instrument, self.timeframe, candles.slice(index, index + 1)
            )
            close = int(self.timeframe.close_of(int(candles.open_time[index])))
            self.now = from_milliseconds(close) + timedelta(milliseconds=200)
            self.ends_at = from_milliseconds(close)
            if index + 1 < len(candles):
                # What is decided now meets the first price of the next bar.
                self._set_price(_price(candles.open[index + 1]))
            evaluation.evaluate_signal_group(group_id=group.pk, now=self.now)
            self._work()

    def _walk_bar(self, candles: Candles, index: int) -> None:
        low, high = _price(candles.low[index]), _price(candles.high[index])
        for turn in self._turns(low, high):
            self._go_to(turn)
        self._go_to(_price(candles.close[index]))

    def _turns(self, low: Decimal, high: Decimal) -> Iterator[Decimal]:
        """Yield the extremes of a bar in the order that is assumed: the one against us first."""
        held = self.exchange.held()
        entries = [each for each in self.exchange.resting() if not each.reduces]
        if held or not entries:
            yield from (low, high) if held >= 0 else (high, low)
            return
        buys = entries[0].side is Side.BUY
        # The price comes to a limit from its good side and goes on, to a stop from the other one.
        falls = buys is not entries[0].is_stop
        yield from (high, low) if falls else (low, high)

    def _go_to(self, price: Decimal) -> None:
        """Move the price, stopping at everything that rests on the way."""
        at = self.exchange.quote()
        while True:
            levels = [each.level for each in self.exchange.resting()]
            between = [each for each in levels if min(at, price) <= each <= max(at, price)]
            between = [each for each in between if each != at]
            if not between:
                break
            at = min(between, key=lambda each: abs(each - at))
            self._set_price(at)
        self._set_price(price)

    def _set_price(self, price: Decimal) -> None:
        self.exchange.move(price)
        if self.exchange.executions() > self._heard:
            self.now += timedelta(seconds=1)
            self._work()

    def _work(self) -> None:
        """Let the workers hear of what has filled, and send what follows, until nothing does."""
        while True:
            submission.submit_due_intents(now=self.now)
            if self.exchange.executions() == self._heard:
                break
            self._heard = self.exchange.executions()
            Order.objects.filter(account=self.account).update(next_check_at=self.now)
            reconciliation.reconcile_account(account_id=self.account.pk, now=self.now)
        self.faults += self.differences()

    def differences(self) -> list[str]:
        """Return what the venue's truth and our rows do not agree on, and whether a stop is missing."""
        held, resting = self.exchange.held(), self.exchange.resting()
        position = DeploymentPosition.objects.filter(deployment=self.deployment).first()
        ours = Decimal(0) if position is None else position.quantity
        found = [] if held == ours else [f"{self.now}: {held} there, {ours} here"]
        working = [OrderStatus.ACCEPTED.value, OrderStatus.PARTIALLY_FILLED.value]
        here = set(
            Order.objects.filter(account=self.account, status__in=working).values_list(
                "client_order_id", flat=True
            )
        )
        if {each.client_order_id for each in resting} != here:
            found.append(f"{self.now}: {len(resting)} orders rest there, {len(here)} here")
        covered = sum((each.remaining for each in resting if each.reduces and each.is_stop), ZERO)
        lots = money.to_lots(abs(held), step=self.instrument.lot_step)
        whole = money.from_lots(lots, step=self.instrument.lot_step)
        if position is not None and position.stop_price is not None and covered != whole:
            found.append(f"{self.now}: {held} held, stops over {covered}")
        return found


def _price(value: float) -> Decimal:
    return money.quantize_price(money.decimal_of(float(value)), tick=TICK, rounding=ROUND_HALF_EVEN)
