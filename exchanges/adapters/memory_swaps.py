"""What the venue that lives in this process knows of swaps: positions, leverage, marks and funding."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from exchanges.adapters.protocol import (
    FillReport,
    FundingPaymentReport,
    FundingReport,
    InstrumentReport,
    MarkReport,
    OrderRequest,
    PositionReport,
)
from market.enums import InstrumentKind, MarginMode, Side
from market.positions import Position, apply_fill, unrealized_pnl

#: What a venue gives an account that has chosen nothing.
_LEVERAGE: Final = 20


@dataclass(slots=True)
class Swaps:
    """Positions by account and symbol, one-way mode; what a test sets is in ``marks``, ``fundings``, ``payments``."""

    marks: dict[str, MarkReport] = field(default_factory=dict)
    fundings: list[FundingReport] = field(default_factory=list)
    payments: defaultdict[str, list[FundingPaymentReport]] = field(
        default_factory=lambda: defaultdict(list)
    )
    leverages: dict[tuple[str, str], int] = field(default_factory=dict)
    margin_modes: dict[tuple[str, str], MarginMode] = field(default_factory=dict)
    #: Seconds after which an account's orders are canceled, as it was armed last.
    dead_men: dict[str, int] = field(default_factory=dict)
    _positions: defaultdict[tuple[str, str], Position] = field(
        default_factory=lambda: defaultdict(Position.flat)
    )

    def margin_of(
        self, account: str, request: OrderRequest, rules: InstrumentReport, *, price: Decimal
    ) -> tuple[str, Decimal]:
        """Return what an order locks: its notional over the leverage, nothing if it only reduces."""
        if self.reduces(account, request):
            return rules.settle, Decimal(0)
        leverage = self.leverages.get((account, request.symbol), _LEVERAGE)
        return rules.settle, request.quantity * price / leverage

    def reduces(self, account: str, request: OrderRequest) -> bool:
        """Tell whether an order can only make the position smaller."""
        held = self._positions[account, request.symbol].quantity
        signed = request.quantity if request.side is Side.BUY else -request.quantity
        return held * signed < 0 and abs(signed) <= abs(held)

    def reducible(self, account: str, request: OrderRequest) -> Decimal:
        """Return how much an order could close of the position now."""
        held = self._positions[account, request.symbol].quantity
        closes = held > 0 if request.side is Side.SELL else held < 0
        return abs(held) if closes else Decimal(0)

    def book(self, account: str, fill: FillReport) -> Decimal:
        """Move the position by an execution; return what that settled, less its fee."""
        key = (account, fill.symbol)
        before = self._positions[key]
        after = self._positions[key] = apply_fill(
            before, side=fill.side, quantity=fill.quantity, price=fill.price, fee=fill.fee
        )
        return after.net_realized_pnl - before.net_realized_pnl

    def positions(
        self, account: str, *, prices: dict[str, Decimal], now: datetime
    ) -> list[PositionReport]:
        """Return what an account holds, marked at the price."""
        return [
            PositionReport(
                symbol=symbol,
                quantity=position.quantity,
                average_price=position.average_price,
                mark_price=prices[symbol],
                unrealized_pnl=unrealized_pnl(position, prices[symbol]),
                leverage=Decimal(self.leverages.get((account, symbol), _LEVERAGE)),
                liquidation_price=None,
                margin_mode=self.margin_modes.get((account, symbol), MarginMode.CROSS),
                venue_at=now,
            )
            for (holder, symbol), position in sorted(self._positions.items())
            if holder == account and not position.is_flat
        ]


def is_swap(rules: InstrumentReport) -> bool:
    """Tell whether *rules* are those of a contract and not of the thing itself."""
    return rules.kind is not InstrumentKind.SPOT
