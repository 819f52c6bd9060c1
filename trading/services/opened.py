"""What protects positions that were just opened: many at once, with the same result as one by one.

Only the plain case is dealt with together: a position that an entry has opened, that nothing is about
to close, and around which nothing was placed yet or the one stop that it should have. Everything else
goes by ``protection.follow``.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import connection

from foundation.crashpoints import crashpoint
from foundation.transactions import part_of_transaction
from market.enums import Leg
from market.orders import RESTING
from trading.domain import keys, sizing
from trading.domain.brackets import Bracket
from trading.models import (
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    DesiredState,
    IntentStatus,
    OrderIntent,
)
from trading.selectors import markets
from trading.services import exits, intents, protection, protective_orders, trades
from trading.services.intents import Decided
from trading.services.trades import Trade

#: A deployment and one of its instruments.
Place = tuple[int, int]

_NOTE_PROTECTION: Final = (
    "UPDATE trading_deploymentposition AS kept SET version = given.version,"
    " stop_price = given.stop_price, target_price = given.target_price,"
    " unprotected_since = given.since"
    " FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[], %s::timestamptz[])"
    " AS given (id, version, stop_price, target_price, since) WHERE kept.id = given.id"
)


@part_of_transaction
def follow_many(
    places: Collection[Place], *, deployments: Mapping[int, Deployment], now: datetime
) -> None:
    """Bring the protection of positions of locked *deployments* in line with the positions."""
    protected = _protect_opened(places, deployments, now)
    for deployment_id, instrument_id in sorted(set(places) - protected):
        protection.follow(deployments[deployment_id], instrument_id=instrument_id, now=now)


def _protect_opened(
    places: Collection[Place], deployments: Mapping[int, Deployment], now: datetime
) -> set[Place]:
    """Decide on the stops of positions that were just opened; return which those are."""
    opened = _opened(places, deployments)
    if not opened:
        return set()
    found = trades.of_positions(opened)
    marks = {
        (row.deployment_id, row.instrument_id): row.marks
        for row in DeploymentInstrument.objects.filter(
            deployment__in=[position.deployment_id for position in opened]
        )
    }
    decided: list[Decided] = []
    noted: list[DeploymentPosition] = []
    for position in opened:
        trade = found.get(position.pk)
        place = (position.deployment_id, position.instrument_id)
        if trade is None:
            continue
        deployment = deployments[position.deployment_id]
        bracket = trades.bracket_of(
            deployment, position=position, trade=trade, marks=marks.get(place, {})
        )
        if protective_orders.rungs_of(position, bracket=bracket) or bracket.state.targets_done:
            continue
        if _is_as_it_should(position, trade, bracket):
            noted.append(position)
        elif not trade.followers:
            decided += _decide(deployment, position, trade, bracket, now)
            noted.append(position)
    intents.write(decided, now=now)
    crashpoint("protection.stop_decided")
    _note(noted)
    return {(position.deployment_id, position.instrument_id) for position in noted}


def _opened(
    places: Collection[Place], deployments: Mapping[int, Deployment]
) -> list[DeploymentPosition]:
    """Return the open positions among *places* whose entry is known, locked, unless an exit is there."""
    ids = {deployment_id for deployment_id, _ in places}
    leaving = set(
        OrderIntent.objects.filter(
            deployment__in=ids,
            leg__in=[Leg.EXIT.value, Leg.TARGET.value],
            status__in=[IntentStatus.NEW, IntentStatus.ORDERED],
        ).values_list("deployment_id", "instrument_id")
    )
    rows = (
        DeploymentPosition.objects.select_for_update(of=("self",))
        .select_related("instrument")
        .filter(deployment__in=ids, entry__isnull=False)
        .exclude(quantity=0)
        .order_by("pk")
    )
    found = []
    for position in rows:
        place = (position.deployment_id, position.instrument_id)
        if place in places and place not in leaving and _is_plain(position, deployments):
            found.append(position)
    return found


def _is_plain(position: DeploymentPosition, deployments: Mapping[int, Deployment]) -> bool:
    deployment = deployments[position.deployment_id]
    return (
        not markets.is_paper(deployment.account)
        and deployment.desired_state == DesiredState.RUNNING
        and not protection.is_left_to_its_owner(deployment)
        # Where targets rest beside the stop there is more to place.
        and not exits.targets_rest(position)
        and sizing.is_closable(
            position.quantity,
            price=position.last_price or position.average_price,
            steps=markets.steps_of(position.instrument),
        )
    )


def _is_as_it_should(position: DeploymentPosition, trade: Trade, bracket: Bracket) -> bool:
    """Tell whether the one thing around a position is the stop that it should have, and note that it rests."""
    levels = protection.levels_of(position, bracket=bracket)
    if len(trade.followers) != 1 or levels != (position.stop_price, position.target_price):
        return False
    (stop,) = trade.followers
    if stop.intent.leg != Leg.STOP or levels[0] is None or stop.status not in RESTING:
        return False
    wanted = protection.stop_of(position, trade=trade, level=levels[0])
    if not protective_orders.stands_for(stop, wanted=wanted):
        return False
    position.unprotected_since = None
    return True


def _decide(
    deployment: Deployment,
    position: DeploymentPosition,
    trade: Trade,
    bracket: Bracket,
    now: datetime,
) -> list[Decided]:
    """Note the levels of a position around which nothing is yet, and return the decision on its stop."""
    stop, target = protection.levels_of(position, bracket=bracket)
    if (position.stop_price, position.target_price) != (stop, target):
        position.stop_price, position.target_price = stop, target
        position.version += 1
    if stop is None:
        return []
    position.unprotected_since = position.unprotected_since or now
    return [
        protective_orders.decision(
            deployment,
            trade=trade,
            wanted=protection.stop_of(position, trade=trade, level=stop),
            instrument_id=position.instrument_id,
            key=keys.protective_key(trade.entry.intent.decision_key, number=0),
        )
    ]


def _note(noted: Sequence[DeploymentPosition]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE_PROTECTION,
            [
                [position.pk for position in noted],
                [position.version for position in noted],
                [position.stop_price for position in noted],
                [position.target_price for position in noted],
                [position.unprotected_since for position in noted],
            ],
        )
