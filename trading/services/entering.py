"""Why a deployment may open nothing at the close of a bar."""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings

from market.timeframes import Timeframe
from strategies.reasons import ReasonCode
from trading.domain import staleness
from trading.models import ActualState, Deployment, DesiredState, Health
from trading.services import health
from trading.services.frames import GroupBar
from trading.services.members import Member


def no_entry(
    member: Member,
    *,
    each: GroupBar,
    timeframe: Timeframe,
    entitled: Collection[int],
    now: datetime,
) -> ReasonCode | None:
    """Return why nothing may be opened at this bar; None if it may.

    *entitled* are the people who have the right to the strategy.
    """
    deployment = member.deployment
    horizons = settings.HORIZONS
    if not each.is_newest or staleness.is_stale(
        each.closed_at,
        timeframe,
        now=now,
        stale_s=horizons.stale_s,
        cap_s=horizons.stale_timeframe_cap_s,
    ):
        return ReasonCode.DATA_STALE
    if not member.has_active_owner:
        return ReasonCode.OWNER_INACTIVE
    if deployment.owner_id not in entitled:
        return ReasonCode.ENTITLEMENT_ENDED
    if deployment.desired_state != DesiredState.RUNNING or _is_unwell(deployment):
        return ReasonCode.ENTRIES_PAUSED
    if deployment.actual_state == ActualState.STARTING and not member.is_paper:
        # Nothing is opened before the account has been compared with the venue once.
        return ReasonCode.ENTRIES_PAUSED
    return None


def _is_unwell(deployment: Deployment) -> bool:
    # Late candles are no reason against the bar that has just ended their absence.
    return deployment.health != Health.OK and deployment.health_code != health.CANDLES_LATE
