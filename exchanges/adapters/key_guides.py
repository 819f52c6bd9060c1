"""How a key for a venue is made, and whether it can be asked what it may do."""

from dataclasses import replace

from exchanges.adapters import packs
from exchanges.domain.guides import ConnectGuide, guide_of
from exchanges.models import Venue
from market.errors import VenueUnavailableError


def guide_for(venue: Venue) -> ConnectGuide:
    """Return the guide of *venue*; what its pack can ask decides whether a key tells its permissions."""
    guide = guide_of(venue.code, venue.ccxt_id)
    try:
        tells = bool(packs.pack_of(venue.ccxt_id).permissions_call)
    except VenueUnavailableError:
        # It lives in this process, and answers like any other.
        tells = guide.tells_permissions
    return replace(guide, tells_permissions=tells)
