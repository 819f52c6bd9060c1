"""The EMA crossover once more, written straight from its rules and sharing no code with the engine.

One loop over plain lists, prices in exact decimals. Slow and simple, so that it can be believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from market.candles import CandleRow


@dataclass
class Settings:
    """Parameters and costs; percents and basis points as people enter them."""

    fast: int = 10
    slow: int = 20
    risk: Decimal = Decimal(1)
    stop: Decimal = Decimal(2)
    target: Decimal = Decimal(4)
    capital: Decimal = Decimal(10_000)
    maker_bps: Decimal = Decimal(0)
    taker_bps: Decimal = Decimal(0)
    slip_bps: Decimal = Decimal(0)
    tick: Decimal = Decimal("0.01")
    step: Decimal = Decimal("0.00001")
    minimum: Decimal = Decimal(5)
    shorts: bool = False

    def grid(self, price: Decimal, *, up: bool) -> Decimal:
        whole = (price / self.tick).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
        return whole * self.tick

    def lots(self, quantity: Decimal) -> Decimal:
        return (quantity / self.step).to_integral_value(ROUND_DOWN) * self.step

    def slipped(self, price: Decimal, *, buys: bool) -> Decimal:
        return price * (1 + self.slip_bps / 10_000 * (1 if buys else -1))

    def at_market(self, price: Decimal, *, buys: bool) -> Decimal:
        return self.grid(self.slipped(price, buys=buys), up=buys)

    def size(self, price: Decimal, equity: Decimal, *, buys: bool) -> Decimal:
        """Return what to trade at a close of *price*, 0 for nothing."""
        wanted = self.capital * self.risk / 100 / (price * self.stop / 100)
        worst = self.slipped(price, buys=True) if buys else price
        size = self.lots(min(wanted, equity / (worst * (1 + self.taker_bps / 10_000))))
        return size if size * price >= self.minimum else Decimal(0)


@dataclass
class Round:
    """One round trip as it came about; bars are indexes."""

    sign: int
    entry_bar: int
    exit_bar: int
    quantity: Decimal
    entry: Decimal
    exit: Decimal
    fees: Decimal
    why: str

    @property
    def pnl(self) -> Decimal:
        return self.sign * self.quantity * (self.exit - self.entry) - self.fees


def ema(values: Sequence[float], length: int) -> list[float | None]:
    result: list[float | None] = []
    for i, value in enumerate(values):
        if i + 1 < length:
            result.append(None)
        elif i + 1 == length:
            result.append(sum(values[:length]) / length)
        else:
            before = result[-1]
            assert before is not None
            result.append(before + 2 / (length + 1) * (value - before))
    return result


def crosses(closes: Sequence[float], fast: int, slow: int) -> list[int]:
    """Return +1 at each bar where fast crosses above slow, -1 below, else 0."""
    a, b = ema(closes, fast), ema(closes, slow)
    result = [0] * len(closes)
    for i in range(1, len(closes)):
        a0, a1, b0, b1 = a[i - 1], a[i], b[i - 1], b[i]
        if a0 is None or a1 is None or b0 is None or b1 is None:
            continue
        if a0 <= b0 and a1 > b1:
            result[i] = 1
        elif a0 >= b0 and a1 < b1:
            result[i] = -1
    return result


def run(  # noqa: C901 - one loop that can be read from top to bottom, on purpose
    rows: Sequence[CandleRow], first_bar: int, s: Settings
) -> tuple[list[Round], Decimal]:
    """Return the closed rounds, and the equity at the last close."""
    o, h, low, c = ([Decimal(repr(row[k])) for row in rows] for k in (1, 2, 3, 4))
    signals = crosses([row[4] for row in rows], s.fast, s.slow)
    taker, maker = s.taker_bps / 10_000, s.maker_bps / 10_000
    cash, sign, quantity = s.capital, 0, Decimal(0)
    entry = stop = target = fee = Decimal(0)
    entered, leaving = 0, False
    wish: tuple[int, Decimal, Decimal] | None = None
    rounds: list[Round] = []

    def leave(i: int, price: Decimal, rate: Decimal, why: str) -> None:
        nonlocal cash, sign, quantity
        paid = quantity * price * rate
        rounds.append(Round(sign, entered, i, quantity, entry, price, fee + paid, why))
        cash += sign * quantity * price - paid
        sign, quantity = 0, Decimal(0)

    for i in range(len(rows)):
        if leaving:
            leave(i, s.at_market(o[i], buys=sign < 0), taker, "SIGNAL")
        if wish:
            sign, quantity, budget = wish
            entry, entered = s.at_market(o[i], buys=sign > 0), i
            if sign > 0:
                quantity = min(quantity, s.lots(budget / (entry * (1 + taker))))
            fee = quantity * entry * taker
            cash -= sign * quantity * entry + fee
            stop = s.grid(entry * (1 - sign * s.stop / 100), up=sign < 0)
            target = s.grid(entry * (1 + sign * s.target / 100), up=sign > 0)
        if sign:
            jumped = wish is None and sign * o[i] >= sign * target
            nearest, farthest = (low[i], h[i]) if sign > 0 else (h[i], low[i])
            if jumped:
                leave(i, s.grid(o[i], up=sign < 0), maker, "TARGET")
            elif sign * nearest <= sign * stop:
                worst = min(o[i], stop) if sign > 0 else max(o[i], stop)
                leave(i, s.at_market(worst, buys=sign < 0), taker, "STOP")
            elif sign * farthest >= sign * target:
                leave(i, target, maker, "TARGET")
        leaving, wish = False, None
        cross = signals[i]
        if cross in {0, sign}:
            continue
        leaving, equity = sign != 0, cash
        if leaving:
            out = s.slipped(c[i], buys=sign < 0)
            equity += quantity * out * (sign - taker)
        if i >= first_bar and (cross > 0 or s.shorts) and equity > 0:
            size = s.size(c[i], equity, buys=cross > 0)
            wish = (cross, size, equity) if size else None
    return rounds, cash + sign * quantity * c[-1]
