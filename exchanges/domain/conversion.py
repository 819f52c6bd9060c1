"""What an amount of one currency is worth in another, by rates that venues have told; for showing only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

#: What equity is recorded in; the currency of nearly all markets.
REFERENCE: Final = "USDT"

#: The longest way from one currency to another: coin, reference, fiat money, and one more.
_LONGEST_WAY: Final = 3


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of ``base`` cost ``rate`` units of ``quote`` at an instant; ``rate`` is above zero."""

    base: str
    quote: str
    rate: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Worth:
    """An amount in another currency; ``at`` is when the oldest rate on the way was told, None if none was needed."""

    amount: Decimal
    at: datetime | None


@dataclass(frozen=True, slots=True)
class _Step:
    to: str
    factor: Decimal
    at: datetime


class Rates:
    """A set of rates, each usable in both directions; of two for a pair the later given one counts."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        """Take *rates*, the more trustworthy ones last."""
        steps: dict[str, dict[str, _Step]] = {}
        for rate in rates:
            steps.setdefault(rate.base, {})[rate.quote] = _Step(rate.quote, rate.rate, rate.at)
            steps.setdefault(rate.quote, {})[rate.base] = _Step(rate.base, 1 / rate.rate, rate.at)
        self._steps: Mapping[str, Mapping[str, _Step]] = steps
        self._known: dict[tuple[str, str], Worth | None] = {}

    def convert(self, amount: Decimal, *, currency: str, to: str) -> Worth | None:
        """Return what *amount* is worth in another currency by the shortest way; None where no way is known."""
        one = self._one(currency, to)
        return None if one is None else Worth(amount * one.amount, one.at)

    def _one(self, currency: str, to: str) -> Worth | None:
        key = (currency, to)
        if key not in self._known:
            self._known[key] = self._find(currency, to)
        return self._known[key]

    def _find(self, currency: str, to: str) -> Worth | None:
        ways: dict[str, Worth] = {currency: Worth(Decimal(1), None)}
        nearest = [currency]
        for _ in range(_LONGEST_WAY):
            if to in ways:
                break
            reached = []
            for place in nearest:
                # By name, so that the same rates always give the same figure; the reference first.
                for step in sorted(
                    self._steps.get(place, {}).values(), key=lambda s: (s.to != REFERENCE, s.to)
                ):
                    if step.to not in ways:
                        until = ways[place]
                        at = step.at if until.at is None else min(until.at, step.at)
                        ways[step.to] = Worth(until.amount * step.factor, at)
                        reached.append(step.to)
            nearest = reached
        return ways.get(to)
