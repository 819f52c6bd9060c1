"""How a key for a venue is made, and whether it can be asked what it may do."""

from dataclasses import replace

from exchanges.adapters import packs
from exchanges.adapters.packs.dialect import Dialect
from exchanges.domain.guides import ConnectGuide, guide_of
from exchanges.models import Venue


def guide_for(venue: Venue) -> ConnectGuide:
    """Return the guide of *venue*; its pack decides what a key has, and whether it tells what it may do."""
    guide = guide_of(venue.code, venue.ccxt_id)
    if not packs.takes_orders(venue.ccxt_id):
        # It lives in this process, and answers like any other.
        return guide
    pack = packs.pack_of(venue.ccxt_id)
    return replace(
        guide,
        needs_passphrase=pack.needs_passphrase,
        tells_permissions=type(pack.dialect).permissions is not Dialect.permissions,
    )
