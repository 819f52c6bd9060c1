"""What venues can do with orders, by their packs."""

from typing import TYPE_CHECKING

from exchanges.adapters.factory import MEMORY
from exchanges.adapters.packs import pack_of
from exchanges.models import Venue
from market.enums import OrderType

if TYPE_CHECKING:
    from collections.abc import Collection


def order_types_of(venue: Venue) -> "Collection[OrderType]":
    """Return the types of orders that can be sent to *venue*."""
    return frozenset(OrderType) if venue.ccxt_id == MEMORY else pack_of(venue.ccxt_id).order_types


def venues_with_dead_man() -> list[int]:
    """Return the venues that cancel what rests when they are not called in time."""
    venues = Venue.objects.exclude(ccxt_id="").values_list("pk", "ccxt_id")
    return [pk for pk, ccxt_id in venues if ccxt_id == MEMORY or pack_of(ccxt_id).has_dead_man]
