"""What the platform can do at each venue, for the list of venues; the packs say it."""

from dataclasses import dataclass
from typing import Final

from exchanges.adapters import packs
from exchanges.adapters.packs.base import ALL_ORDERS
from exchanges.models import Venue
from market.enums import OrderType

_CLOSED: Final = "an operator of this platform has closed it for keys"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What orders can be at a venue, and what it does for an account whose platform is silent.

    ``no_keys_because`` is the end of a sentence about a venue that serves market data and paper alone; empty where keys
    are taken.
    """

    order_types: frozenset[OrderType]
    has_post_only: bool
    has_dead_man: bool
    has_practice_market: bool
    no_keys_because: str


def abilities_of(venue: Venue) -> Abilities:
    """Return what the platform can do at *venue*; nothing at one whose candles are imported."""
    if venue.takes_live_accounts and not packs.takes_orders(venue.ccxt_id):
        # It lives in this process, and takes what any other does.
        return Abilities(ALL_ORDERS, True, True, False, "")
    pack = packs.pack_of(venue.ccxt_id)
    reason = "" if venue.takes_live_accounts else pack.no_stops_because or _CLOSED
    return Abilities(
        order_types=pack.order_types,
        has_post_only=pack.has_post_only,
        has_dead_man=pack.has_dead_man,
        has_practice_market=pack.sandbox is not None,
        no_keys_because=reason,
    )
