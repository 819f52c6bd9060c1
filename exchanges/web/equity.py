"""What the pages say of balances and equity."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from exchanges.selectors.equity import (
    AccountEquity,
    BalanceLine,
    EquityHistory,
    Money,
    TotalEquity,
    Valuation,
)

_NAMES: Final = {Money.REAL: "Equity", Money.PLAY: "Equity, play money"}


@dataclass(frozen=True, slots=True)
class TotalCard:
    """What a person's accounts of one kind of money are worth; ``note`` says how many and what is left out."""

    label: str
    amount: Decimal
    currency: str
    note: str


@dataclass(frozen=True, slots=True)
class EquityPage:
    """The figures above a person's accounts; ``remark`` is empty unless the currency is not the one they chose."""

    totals: Sequence[TotalCard]
    remark: str


@dataclass(frozen=True, slots=True)
class AccountEquityPage:
    """What one account holds and is worth; ``amount`` is None where that is not known."""

    amount: Decimal | None
    currency: str
    lines: Sequence[BalanceLine]
    note: str
    told_at: datetime | None


def present_totals(valuation: Valuation) -> EquityPage:
    """Return the totals of a person."""
    return EquityPage([_card(total) for total in valuation.totals], remark_on(valuation))


def present_equity(value: AccountEquity) -> AccountEquityPage:
    """Return what one account is worth."""
    return AccountEquityPage(
        amount=value.amount,
        currency=value.currency,
        lines=value.lines,
        note=_left_out(value.unvalued),
        told_at=value.told_at,
    )


def remark_on(valuation: Valuation) -> str:
    """Return why amounts are not in the chosen currency; empty if they are."""
    if valuation.currency == valuation.wanted:
        return ""
    return (
        f"No rate to {valuation.wanted} is known here yet, so amounts are in {valuation.currency}."
    )


def chart_of(history: EquityHistory) -> dict[str, Any]:
    """Return lines for a chart: one for each kind of money."""
    lines = []
    for money in Money:
        points = [point for point in history.points if point.money is money]
        if points:
            lines.append(
                {
                    "name": f"{_NAMES[money]}, {history.currency}",
                    "kind": "equity",
                    "points": [
                        {"time": int(p.hour_at.timestamp()), "value": f"{p.amount:.8f}"}
                        for p in points
                    ],
                }
            )
    return {"series": lines}


def _card(total: TotalEquity) -> TotalCard:
    many = "1 account" if total.accounts == 1 else f"{total.accounts} accounts"
    return TotalCard(
        label=_NAMES[total.money],
        amount=total.amount,
        currency=total.currency,
        note=". ".join(filter(None, [f"{many}, by the last rates", _left_out(total.unvalued)])),
    )


def _left_out(currencies: Sequence[str]) -> str:
    if not currencies:
        return ""
    shown = ", ".join(currencies[:5]) + (" and others" if len(currencies) > 5 else "")
    return f"Not counted, for no price is known: {shown}"
