"""What a person has to know before they connect an account."""

from collections.abc import Sequence

from django.conf import settings

from exchanges.models import Venue, VenueUse
from exchanges.selectors import instruments
from exchanges.selectors.instruments import UnknownVenueError


def connectable_venues() -> Sequence[Venue]:
    """Return the venues in use that take keys, by name."""
    return [venue for venue in instruments.active_venues() if venue.takes_live_accounts]


def paper_only_venues() -> Sequence[Venue]:
    """Return the venues in use whose prices can be asked for and that take no keys, by name."""
    venues = instruments.active_venues()
    return [venue for venue in venues if venue.use is VenueUse.DATA_AND_PAPER]


def get_connectable_venue(code: str) -> Venue:
    """Return the venue of that code if it takes keys; raise UnknownVenueError for any other."""
    venues = {venue.code: venue for venue in connectable_venues()}
    if code not in venues:
        raise UnknownVenueError(code, known=venues)
    return venues[code]


def egress_addresses() -> Sequence[str]:
    """Return the addresses from which this platform speaks to venues, for people to allow; none if unknown."""
    addresses: Sequence[str] = settings.EGRESS_ADDRESSES
    return addresses
