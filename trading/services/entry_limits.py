"""Whether anything may be opened: trading states first, then the limits that people have set.

Everything is asked for many deployments at once, in a number of queries that does not grow with
them. Where nobody has set a limit, that is one query for the states and one for the limits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from foundation.audit import Actor
from foundation.transactions import part_of_transaction
from strategies.reasons import ReasonCode
from trading.domain import protections
from trading.domain.protections import Limits, Standing
from trading.domain.trading_states import (
    Place,
    TradingState,
    key_of_account,
    key_of_deployment,
    key_of_person,
    strictest,
)
from trading.models import (
    Deployment,
    ReleaseRule,
    RestrictionCause,
    RestrictionState,
)
from trading.selectors import limits as limit_rows
from trading.selectors import restrictions as states
from trading.selectors import standings
from trading.selectors.limits import LimitedTarget
from trading.services import marks, restrictions

if TYPE_CHECKING:
    from exchanges.models import Instrument

_BY_LIMITS: Final = Actor.system("protections")

#: What a restriction says to a decision; of the other causes it says that only exits are allowed.
_REASONS: Final[Mapping[str, ReasonCode]] = {
    RestrictionCause.DAILY_LOSS: ReasonCode.DAILY_LOSS_LIMIT,
    RestrictionCause.DRAWDOWN: ReasonCode.DRAWDOWN_LIMIT,
}

#: Refusals that last until somebody, or the next day, ends them.
_LASTING: Final = {
    ReasonCode.DAILY_LOSS_LIMIT: RestrictionCause.DAILY_LOSS,
    ReasonCode.DRAWDOWN_LIMIT: RestrictionCause.DRAWDOWN,
}


@dataclass(slots=True)
class Room:
    """What a target's limits leave for entries; it shrinks with each one that is let through."""

    limits: Limits
    standing: Standing
    places: set[tuple[int, int]]

    def refusal(self, place: tuple[int, int], *, notional: Decimal) -> ReasonCode | None:
        """Return why an entry at *place*, a deployment and its market, finds no room; None if it does."""
        return protections.room_refusal(
            self.limits, self.standing, notional=notional, holds_here=place in self.places
        )

    def take(self, place: tuple[int, int], *, notional: Decimal) -> None:
        """Count an entry that is let through."""
        is_further = place not in self.places
        self.places.add(place)
        self.standing = replace(
            self.standing,
            exposure=self.standing.exposure + notional,
            open_positions=self.standing.open_positions + is_further,
            open_orders=self.standing.open_orders + 1,
        )


@dataclass(slots=True)
class Look:
    """What holds for entries at places: their states, why they are refused, and how much room there is.

    ``limits`` are those of each deployment, its account's and its owner's.
    """

    states: dict[tuple[int, int], TradingState] = field(default_factory=dict)
    refused: dict[tuple[int, int], ReasonCode] = field(default_factory=dict)
    rooms: dict[tuple[int, int], list[Room]] = field(default_factory=dict)


def place_of(deployment: Deployment, *, instrument: "Instrument", is_paper: bool) -> Place:
    """Return where *deployment* trades *instrument*, without a look at its account."""
    return Place(
        deployment_id=deployment.pk,
        account_id=deployment.account_id,
        owner_id=deployment.owner_id,
        venue_id=instrument.venue_id,
        instrument_id=instrument.pk,
        is_paper=is_paper,
    )


@part_of_transaction
def look(places: Sequence[Place], *, now: datetime) -> Look:
    """Return what holds for entries at *places*; a loss that reaches its limit is remembered as a restriction."""
    seen = Look()
    for place, found in states.in_force_at(places, now=now).items():
        spot = (place.deployment_id, place.instrument_id)
        seen.states[spot] = strictest(each.state for each in found)
        is_halted = seen.states[spot] is TradingState.HALTED
        causes = [_REASONS[each.cause] for each in found if each.cause in _REASONS]
        usual = causes[0] if causes else ReasonCode.TRADING_REDUCED
        seen.refused[spot] = ReasonCode.TRADING_HALTED if is_halted else usual
    free = [
        place for place in places if (place.deployment_id, place.instrument_id) not in seen.refused
    ]
    targets = limit_rows.limited_targets(free)
    if targets:
        _judge(free, targets, seen, now)
    return seen


def _judge(
    places: Sequence[Place],
    targets: Mapping[str, LimitedTarget],
    seen: Look,
    now: datetime,
) -> None:
    limited = [place for place in places if any(key in targets for key in _keys(place))]
    facts = standings.read(targets.values(), places=limited, now=now)
    measured = marks.measure(facts, targets=targets, now=now)
    # Places of one target share its room: what one takes is gone for the others.
    rooms: dict[tuple[str, str], Room] = {}
    for place in limited:
        spot = (place.deployment_id, place.instrument_id)
        currency = facts.currency_of[place.instrument_id]
        for key in _keys(place):
            target = targets.get(key)
            if target is None:
                continue
            mark = measured.get((key, currency))
            standing = facts.standing(target, place, mark=mark)
            held = facts.places_of(target, place)
            reason = protections.refusal(target.limits, standing, now=now, holds_here=spot in held)
            if reason is not None:
                seen.refused.setdefault(spot, reason)
                _remember(target, reason, now)
            shared = rooms.setdefault((key, currency), Room(target.limits, standing, set(held)))
            seen.rooms.setdefault(spot, []).append(shared)


def _remember(target: LimitedTarget, reason: ReasonCode, now: datetime) -> None:
    cause = _LASTING.get(reason)
    if cause is None:
        return
    limits = target.limits
    is_daily = cause is RestrictionCause.DAILY_LOSS
    limit = limits.max_daily_loss_percent if is_daily else limits.max_drawdown_percent
    what = "lost today" if is_daily else "lost since its best"
    restrictions.restrict(
        target=restrictions.Target(
            scope=target.scope, key=target.key, name=target.name, owner_id=target.owner_id
        ),
        state=RestrictionState.REDUCING,
        cause=cause,
        reason=f"The limit of {limit.normalize() if limit else 0:f} % {what} is reached.",
        release_rule=ReleaseRule.OWNER,
        by=_BY_LIMITS,
        now=now,
        until=marks.next_day(now) if is_daily else None,
    )


def _keys(place: Place) -> Iterable[str]:
    yield key_of_deployment(place.deployment_id)
    yield key_of_account(place.account_id)
    yield key_of_person(place.owner_id)
