"""What trading reads of instruments, venues and accounts."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from market.costs import Costs
from market.enums import InstrumentKind
from trading.domain import kernel
from trading.domain.sizing import TradingSteps

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount, Instrument, Venue

#: What a market order is expected to pay beyond the last price, in basis points: for sizing, and
#: as the friction of paper fills. The same as a backtest assumes unless told otherwise.
SLIPPAGE_BPS: Final = Decimal(5)
SPREAD_BPS: Final = Decimal(0)


def is_paper(account: "ExchangeAccount") -> bool:
    """Tell whether the orders of *account* stay inside the platform."""
    return account.kind == "PAPER"


def is_connected(account: "ExchangeAccount") -> bool:
    """Tell whether orders can be sent for *account*."""
    return account.is_usable


def steps_of(instrument: "Instrument") -> TradingSteps:
    """Return the exact steps and minimums of *instrument*."""
    return TradingSteps(
        tick_size=instrument.tick_size,
        lot_step=instrument.lot_step,
        minimum_quantity=instrument.minimum_quantity,
        minimum_notional=instrument.minimum_notional,
        closes_any_worth=instrument.kind != InstrumentKind.SPOT,
    )


def costs_for(instrument: "Instrument", venue: "Venue") -> Costs:
    """Return fees, expected frictions and steps as the kernel calculates with them."""
    return kernel.costs_of(
        steps=steps_of(instrument),
        maker_fee_bps=venue.maker_fee_bps,
        taker_fee_bps=venue.taker_fee_bps,
        slippage_bps=SLIPPAGE_BPS,
        spread_bps=SPREAD_BPS,
    )
