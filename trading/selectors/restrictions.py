"""What may be traded where at this moment, and what was forbidden before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from market.errors import NotFoundError
from trading.domain import trading_states
from trading.domain.trading_states import Place, TradingState
from trading.models import (
    Deployment,
    DeploymentInstrument,
    RestrictionScope,
    TradingRestriction,
)
from trading.selectors.owners import Owner

#: What many people share; it concerns those who have something at work there.
_SHARED: Final = frozenset({RestrictionScope.VENUE, RestrictionScope.INSTRUMENT})

#: Rows of history that a page shows.
PAGE_SIZE: Final = 100


class RestrictionNotFoundError(NotFoundError):
    """There is no such restriction, or it is somebody else's."""

    code = "restriction_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such restriction.")


@dataclass(frozen=True, slots=True)
class InForce:
    """A restriction as far as it decides what may be traded."""

    state: TradingState
    cause: str
    spares_paper: bool


def is_halted_by_file() -> bool:
    """Tell whether somebody has put the file on this machine that halts everything here."""
    path = settings.HALT_FILE
    return bool(path) and Path(path).exists()


def in_force_at(places: Collection[Place], *, now: datetime) -> Mapping[Place, Sequence[InForce]]:
    """Return what restricts each of *places*, in one query however many they are.

    Places without a restriction are left out.
    """
    keys = {key for place in places for key in place.target_keys()}
    rows: dict[str, list[InForce]] = {}
    if keys:
        for key, state, cause, spares in (
            _in_force(now)
            .filter(target_key__in=keys)
            .values_list("target_key", "state", "cause", "spares_paper")
        ):
            rows.setdefault(key, []).append(InForce(TradingState(state), cause, spares))
    if is_halted_by_file():
        halted = InForce(TradingState.HALTED, "FILE", spares_paper=False)
        rows.setdefault(trading_states.PLATFORM, []).append(halted)
    if not rows:
        return {}
    found = {
        place: [
            each
            for key in place.target_keys()
            for each in rows.get(key, ())
            if not (each.spares_paper and place.is_paper)
        ]
        for place in places
    }
    return {place: here for place, here in found.items() if here}


def effective(places: Collection[Place], *, now: datetime) -> Mapping[Place, TradingState]:
    """Return the strictest state at each of *places*, in one query."""
    found = in_force_at(places, now=now)
    return {
        place: trading_states.strictest(each.state for each in found.get(place, ()))
        for place in places
    }


def place_of(deployment: Deployment, *, instrument_id: int) -> Place:
    """Return where *deployment* trades an instrument."""
    return Place(
        deployment_id=deployment.pk,
        account_id=deployment.account_id,
        owner_id=deployment.owner_id,
        venue_id=deployment.account.venue_id,
        instrument_id=instrument_id,
        is_paper=deployment.account.kind == "PAPER",
    )


def concerning(owner: Owner, *, now: datetime) -> list[TradingRestriction]:
    """Return what restricts anything of *owner* now, the strictest first.

    What holds for many people counts if the person has something at work there.
    """
    rows = list(_in_force(now).filter(Q(owner_id=owner.pk) | Q(owner=None)))
    if any(row.scope in _SHARED for row in rows):
        keys = _shared_keys(owner)
        rows = [
            row
            for row in rows
            if row.scope not in _SHARED or row.target_key in keys or row.owner_id
        ]
    return sorted(rows, key=lambda row: (row.state != TradingState.HALTED, -row.pk))


def _shared_keys(owner: Owner) -> set[str]:
    """Return the keys of venues and markets at which *owner* has something at work."""
    at_work = DeploymentInstrument.objects.filter(owner_id=owner.pk, is_active=True)
    keys = set()
    for venue_id, instrument_id in at_work.values_list("account__venue_id", "instrument_id"):
        keys |= {
            trading_states.key_of_venue(venue_id),
            trading_states.key_of_instrument(instrument_id),
        }
    return keys


def history_of(
    owner: Owner, *, below: int | None = None, limit: int = PAGE_SIZE
) -> list[TradingRestriction]:
    """Return what has restricted anything of *owner*, and the platform as a whole, newest first."""
    rows = TradingRestriction.objects.filter(
        Q(owner_id=owner.pk) | Q(scope=RestrictionScope.PLATFORM)
    )
    if below is not None:
        rows = rows.filter(pk__lt=below)
    return list(rows.order_by("-pk")[:limit])


def get_restriction_for(owner: Owner, *, public_id: UUID) -> TradingRestriction:
    """Return a restriction on something of *owner*; raise RestrictionNotFoundError for any other."""
    row = TradingRestriction.objects.filter(owner_id=owner.pk, public_id=public_id).first()
    if row is None:
        raise RestrictionNotFoundError
    return row


def all_in_force(*, now: datetime) -> list[TradingRestriction]:
    """Return every restriction in force, newest first; for operators only."""
    return list(_in_force(now).select_related("owner").order_by("-pk"))


def _in_force(now: datetime) -> QuerySet[TradingRestriction]:
    return TradingRestriction.objects.filter(
        Q(until_at=None) | Q(until_at__gt=now), released_at=None
    )
