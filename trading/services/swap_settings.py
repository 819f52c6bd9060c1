"""Leverage and margin mode, set at the venue before the first order for a swap and remembered."""

import math
from datetime import datetime
from typing import Any, Final

from foundation.transactions import part_of_transaction
from market.enums import InstrumentKind, MarginMode
from trading.models import Order, OrderIntent, SwapSetting
from trading.services.venues import MarginTerms

#: The whole account answers for a position, as the whole wallet does in a backtest.
MARGIN_MODE: Final = MarginMode.CROSS


def terms_for(intent: OrderIntent) -> MarginTerms | None:
    """Return what has to be set at the venue before *intent* goes out; None if it is set already.

    ``intent.leverage_set`` is what was set last for its account and instrument, None for nothing.
    """
    if intent.reduce_only or intent.instrument.kind == InstrumentKind.SPOT:
        return None
    rules: dict[str, Any] = intent.revision.rules
    leverage = max(math.ceil(rules["leverage"]), 1)
    known = getattr(intent, "leverage_set", None)
    return None if known == leverage else MarginTerms(leverage, MARGIN_MODE)


@part_of_transaction
def remember(order: Order, *, terms: MarginTerms, now: datetime) -> None:
    """Note that the venue has taken *terms* for the account and the swap of *order*."""
    SwapSetting.objects.update_or_create(
        account_id=order.account_id,
        instrument_id=order.instrument_id,
        defaults={
            "owner_id": order.owner_id,
            "leverage": terms.leverage,
            "margin_mode": terms.mode.value,
            "set_at": now,
        },
    )
