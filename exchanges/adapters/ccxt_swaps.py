"""What only accounts with swaps have: positions with leverage and margin, fundings, the dead man's switch."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from exchanges.adapters import reading
from exchanges.adapters.ccxt_market import CcxtMarketData
from exchanges.adapters.protocol import FundingPaymentReport, PositionReport
from market.enums import MarginMode
from market.errors import UnsupportedByVenueError
from market.timeframes import to_milliseconds


class CcxtSwaps(CcxtMarketData):
    """Questions and settings of swaps, in the name of an account."""

    async def positions(self) -> Sequence[PositionReport]:
        """Return the swaps that the account holds; nothing at a spot venue, where all that is held is a balance."""
        if not self._pack.has_swaps:
            return ()
        return await self._ask(
            lambda: self._pack.dialect.positions(self._exchange), lambda positions: positions
        )

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of later orders in *symbol*."""
        self._require_swaps()
        await self._settle(lambda: self._exchange.set_leverage(leverage, symbol))

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set how positions in *symbol* are margined; asking for what is set already is no error."""
        self._require_swaps()
        await self._settle(lambda: self._exchange.set_margin_mode(mode.value.lower(), symbol))

    async def arm_dead_man(self, *, timeout_s: int) -> None:
        """Let the venue cancel all open orders unless this is called again within *timeout_s*; 0 disarms."""
        if not self._pack.has_dead_man:
            raise UnsupportedByVenueError
        await self._settle(
            lambda: self._pack.dialect.arm_dead_man(self._exchange, timeout_s=timeout_s)
        )

    async def funding_payments_since(self, since: datetime) -> Sequence[FundingPaymentReport]:
        """Return what fundings took and brought since an instant, oldest first, complete; nothing at a spot venue."""
        if not self._pack.has_swaps:
            return ()
        return await self._ask(
            lambda: self._pack.dialect.funding_payments(
                self._exchange, since_ms=to_milliseconds(since)
            ),
            lambda rows: [reading.read_funding_payment(row) for row in rows],
        )

    async def _settle(self, operation: Callable[[], Awaitable[Any]]) -> None:
        """Change a setting; that it is as it was asked for already is no error."""
        await self._ask(operation, lambda _: None, settled=self._pack.codes.settled)
