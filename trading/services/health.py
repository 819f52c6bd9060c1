"""Whether a deployment can do what it should, and who is told when that changes."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db.models import F

from foundation.events import publish
from foundation.transactions import part_of_transaction
from trading import events
from trading.models import IDLE_STATES, Deployment, Health
from trading.services import notices

#: Codes that a person reads on the page and programs compare.
STOP_NOT_PLACED: Final = "stop_not_placed"
EXIT_FAILING: Final = "exit_failing"
POSITION_DRIFT: Final = "position_drift"
ORDER_UNDER_REVIEW: Final = "order_under_review"
EXCHANGE_UNAVAILABLE: Final = "exchange_unavailable"
ACCOUNT_NOT_CONNECTED: Final = "account_not_connected"
STRATEGY_FAILED: Final = "strategy_failed"
CANDLES_LATE: Final = "candles_late"
NOT_COMPARED: Final = "not_compared"
BROKEN: Final = "internal_error"

BROKEN_MESSAGE: Final = (
    "Something went wrong here; the operator's log says what. It opens nothing until that is over."
)

#: What a person is told of beyond the page: it is about their orders or positions.
_TOLD: Final = frozenset({STOP_NOT_PLACED, EXIT_FAILING, POSITION_DRIFT, BROKEN})


@part_of_transaction
def degrade(deployment: Deployment, *, code: str, message: str, now: datetime) -> None:
    """Say that *deployment* needs attention; it opens nothing until that is over."""
    if deployment.health == Health.DEGRADED and deployment.health_code == code:
        return
    deployment.health = Health.DEGRADED
    deployment.health_code = code
    deployment.health_message = message[:300]
    deployment.version = F("version") + 1
    deployment.save(update_fields=["health", "health_code", "health_message", "version"])
    deployment.refresh_from_db(fields=["version"])
    publish(
        events.DEPLOYMENT_DEGRADED,
        occurred_at=now,
        owner_id=deployment.owner_id,
        deployment_id=deployment.pk,
        code=code,
        message=message[:300],
    )
    if code in _TOLD:
        notices.tell_trouble(deployment, what=message, now=now)


@part_of_transaction
def recover(deployment: Deployment, *, codes: Collection[str], now: datetime) -> None:
    """Say that *deployment* is well again, if one of *codes* is what kept it from working."""
    if deployment.health == Health.OK or deployment.health_code not in codes:
        return
    code = deployment.health_code
    deployment.health = Health.OK
    deployment.health_code = deployment.health_message = ""
    deployment.version = F("version") + 1
    deployment.save(update_fields=["health", "health_code", "health_message", "version"])
    deployment.refresh_from_db(fields=["version"])
    publish(
        events.DEPLOYMENT_RECOVERED,
        occurred_at=now,
        owner_id=deployment.owner_id,
        deployment_id=deployment.pk,
        code=code,
    )


@part_of_transaction
def degrade_account(*, account_id: int, code: str, message: str, now: datetime) -> None:
    """Say of every deployment on an account that it needs attention."""
    for deployment in _active_on(account_id):
        degrade(deployment, code=code, message=message, now=now)


@part_of_transaction
def recover_account(*, account_id: int, codes: Collection[str], now: datetime) -> None:
    """Say of every deployment on an account that one of *codes* is over."""
    for deployment in _active_on(account_id):
        recover(deployment, codes=codes, now=now)


def _active_on(account_id: int) -> list[Deployment]:
    return list(
        Deployment.objects.select_for_update(of=("self",))
        .filter(account_id=account_id)
        .exclude(actual_state__in=IDLE_STATES)
        .order_by("pk")
    )
