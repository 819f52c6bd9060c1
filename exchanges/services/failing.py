"""Venues that fail too often or refuse our calls, by the breakers that all processes share."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from redis.exceptions import RedisError

from exchanges.adapters.budget_states import BudgetState, budget_states
from exchanges.models import Venue


@dataclass(frozen=True, slots=True)
class FailingVenue:
    """A venue at which nothing should be opened now, and why in a sentence."""

    venue: Venue
    reason: str


def failing_venues(*, now: datetime) -> list[FailingVenue] | None:
    """Return the venues in use whose breaker is open or that have barred us; None if nobody knows.

    One address of ours that is barred counts for the venue: which address an order takes is chance.
    """
    try:
        states = [each for each in budget_states(now=now) if each.is_broken or each.banned_s]
    except RedisError:
        return None
    if not states:
        return []
    venues = list(Venue.objects.filter(is_active=True).exclude(ccxt_id="").order_by("pk"))
    found = []
    for venue in venues:
        state = next((each for each in states if _is_of(each, venue, venues)), None)
        if state is not None:
            found.append(FailingVenue(venue, _reason(state)))
    return found


def _is_of(state: BudgetState, venue: Venue, venues: list[Venue]) -> bool:
    """Tell whether the budget is that of calls to *venue*.

    A venue without an address of its own is called at the one that the exchange library knows: any
    that no other venue of the same kind claims.
    """
    kind, _, rest = state.name.partition(" at ")
    host = rest.partition(" | ")[0]
    if kind != venue.ccxt_id:
        return False
    if venue.api_url:
        return host == urlsplit(venue.api_url).netloc
    claimed = {urlsplit(each.api_url).netloc for each in venues if each.ccxt_id == kind}
    return host not in claimed


def _reason(state: BudgetState) -> str:
    if state.is_broken:
        return "Half of the calls of a minute or more have failed, or it has barred us."
    return f"It refuses our calls for another {state.banned_s:.0f} seconds."
