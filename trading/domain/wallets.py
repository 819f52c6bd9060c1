"""What each market of a shared wallet carries from bar to bar: from rows to the kernel and back.

A market's cash begins at 0 and counts what that market alone has gained or lost, its open position
paid; the wallet is the deployment's capital and the cash of all of them.
"""

from collections.abc import Mapping
from decimal import Decimal
from math import isclose
from typing import Any, Final

from market import money
from market.positions import Position
from strategies.state import PositionState
from trading.domain import kernel
from trading.domain.sizing import TradingSteps

#: Where marks keep what only a wallet needs.
_WALLET: Final = "wallet"

#: Rows keep 18 decimals, the kernel floats: what differs by less than this in quote is rounding.
_ROUNDING: Final = 1e-6


def state_of_market(
    position: Position,
    *,
    capital: Decimal,
    marks: Mapping[str, Any],
    awaits_venue: bool,
    price: Decimal,
    steps: TradingSteps,
) -> PositionState:
    """Return what real fills have made of a market of a wallet with *capital*.

    As ``kernel.state_of``, but its cash begins at 0. Where the books tell the same as what the kernel
    had at the last bar, the kernel's own bits go on.
    """
    told = kernel.state_of(
        position,
        capital=Decimal(0),
        marks={name: value for name, value in marks.items() if name != _WALLET},
        awaits_venue=awaits_venue,
        price=price,
        steps=steps,
    )._replace(capital=money.float_of(capital))
    exact = marks.get(_WALLET, {})
    average, cash = exact.get("average_price", 0.0), exact.get("cash", 0.0)
    is_same = (
        exact.get("lots", 0) == money.to_lots(position.quantity, step=steps.lot_step)
        and isclose(average, money.float_of(position.average_price), abs_tol=_ROUNDING)
        and isclose(cash, told.cash, abs_tol=_ROUNDING)
    )
    if not is_same:
        return told
    return told._replace(lots=exact.get("lots", 0), average_price=average, cash=cash)


def wanted_of(marks: Mapping[str, Any]) -> float:
    """Return the score with which a market's waiting entry was made, 0 without one."""
    return float(marks.get(_WALLET, {}).get("wanted", 0.0))


def marks_of(state: PositionState, *, wanted: float) -> dict[str, Any]:
    """Return what the rows of fills do not tell of a market after a bar."""
    exact = {
        "lots": state.lots,
        "average_price": state.average_price,
        "cash": state.cash,
        "wanted": wanted if state.entry_side else 0.0,
    }
    kept = {name: value for name, value in exact.items() if value}
    return {**state.memory(), **({_WALLET: kept} if kept else {})}
