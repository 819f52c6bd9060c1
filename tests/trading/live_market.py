"""A market in memory that walks through bars, with a platform that reacts to each of its prices."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.memory_book import MemoryOrder
from exchanges.adapters.protocol import InstrumentReport
from exchanges.models import ExchangeAccount, Instrument
from market import money
from market.candles import Candles
from market.enums import InstrumentKind, Leg, OrderStatus, OrderType, Side
from market.timeframes import Timeframe, from_milliseconds
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.models import Deployment, DeploymentPosition, Order, SignalGroup
from trading.services import evaluation, reconciliation, submission

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


@dataclass
class LiveMarket:
    """One account's deployment at a venue that is walked through bars; ``faults`` is what went wrong."""

    venue: InMemoryVenue
    account: ExchangeAccount
    deployment: Deployment
    instrument: Instrument
    timeframe: Timeframe
    now: datetime

    def __post_init__(self) -> None:
        self.faults: list[str] = []
        self._heard = 0
        self.ends_at = self.now
        self.venue.clock = lambda: self.now

    def walk(self, candles: Candles, *, first: int) -> None:
        """Store the bars up to *first*, then go through the others one by one."""
        market_factory.store_candles(self.instrument, self.timeframe, candles.slice(0, first))
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
            evaluation.evaluate_signal_group(group_id=SignalGroup.objects.get().pk, now=self.now)
            self._work()

    def _walk_bar(self, candles: Candles, index: int) -> None:
        low, high = _price(candles.low[index]), _price(candles.high[index])
        for turn in self._turns(low, high):
            self._go_to(turn)
        self._go_to(_price(candles.close[index]))

    def _turns(self, low: Decimal, high: Decimal) -> Iterator[Decimal]:
        """Yield the extremes of a bar in the order that is assumed: the one against us first."""
        held = self._held()
        if not held:
            entries = [each for each in self._resting() if not each.request.reduce_only]
            for entry in entries[:1]:
                buys = entry.request.side is Side.BUY
                if entry.request.order_type is OrderType.LIMIT:
                    # The price comes to a limit from its good side, and goes on.
                    yield from (high, low) if buys else (low, high)
                else:
                    yield from (low, high) if buys else (high, low)
                return
        yield from (low, high) if held >= 0 else (high, low)

    def _go_to(self, price: Decimal) -> None:
        """Move the price, stopping at everything that rests on the way."""
        while True:
            at = self.venue.book.prices[self.instrument.symbol]
            levels = [_level(order) for order in self._resting()]
            between = [each for each in levels if min(at, price) <= each <= max(at, price)]
            between = [each for each in between if each != at]
            if not between:
                self._set_price(price)
                return
            self._set_price(min(between, key=lambda each: abs(each - at)))

    def _set_price(self, price: Decimal) -> None:
        before = len(self.venue.book.fills)
        self.venue.set_price(self.instrument.symbol, price)
        if len(self.venue.book.fills) > before:
            self.now += timedelta(seconds=1)
            self._work()

    def _work(self) -> None:
        """Let the workers hear of what has filled, and send what follows, until nothing does."""
        while True:
            submission.submit_due_intents(now=self.now)
            if len(self.venue.book.fills) == self._heard:
                break
            self._heard = len(self.venue.book.fills)
            Order.objects.filter(account=self.account).update(next_check_at=self.now)
            reconciliation.reconcile_account(account_id=self.account.pk, now=self.now)
        self.faults += self.differences()

    def differences(self) -> list[str]:
        """Return what the venue's truth and our rows do not agree on, and whether a stop is missing."""
        found = []
        held = self._held()
        position = DeploymentPosition.objects.filter(deployment=self.deployment).first()
        ours = Decimal(0) if position is None else position.quantity
        if held != ours:
            found.append(f"{self.now}: {held} there, {ours} here")
        there = {order.request.client_order_id: order for order in self._resting()}
        working = [OrderStatus.ACCEPTED.value, OrderStatus.PARTIALLY_FILLED.value]
        here = set(
            Order.objects.filter(account=self.account, status__in=working).values_list(
                "client_order_id", flat=True
            )
        )
        if set(there) != here:
            found.append(f"{self.now}: {len(there)} orders rest there, {len(here)} here")
        if held and position is not None and position.stop_price is not None:
            found += self._unprotected(held)
        return found

    def _unprotected(self, held: Decimal) -> list[str]:
        stops = [
            order
            for order in self._resting()
            if order.request.trigger_price is not None and order.request.reduce_only
        ]
        leaving = Order.objects.filter(
            account=self.account, leg__in=[Leg.EXIT.value], status=OrderStatus.FILLED.value
        )
        covered = sum((order.remaining for order in stops), Decimal(0))
        if covered == abs(held):
            return []
        return [f"{self.now}: {held} held, stops over {covered}, {leaving.count()} exits"]

    def _resting(self) -> list[MemoryOrder]:
        return [order for order in self.venue.orders if order.is_working]

    def _held(self) -> Decimal:
        fills = [
            fill.quantity if fill.side is Side.BUY else -fill.quantity
            for _, fill in self.venue.book.fills
        ]
        fees = [
            fill.fee
            for _, fill in self.venue.book.fills
            if fill.fee_currency == self.instrument.base
        ]
        return sum(fills, Decimal(0)) - sum(fees, Decimal(0))


def _price(value: float) -> Decimal:
    return money.quantize_price(money.decimal_of(float(value)), tick=TICK, rounding=ROUND_HALF_EVEN)


def _level(order: MemoryOrder) -> Decimal:
    level = order.request.trigger_price or order.request.price
    assert level is not None
    return level
