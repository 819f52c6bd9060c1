"""Whether the process is up, and whether the platform can work."""

from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from redis import Redis
from redis.exceptions import RedisError

from foundation import heartbeats

#: A sign of life is asked for every ten seconds.
_WITHIN_S: Final = 60.0
#: A worker that runs a backtest (five minutes at most) is busy, not gone.
_COMPUTE_WITHIN_S: Final = 360.0
_REDIS_TIMEOUT_S: Final = 1.0


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as this process answers at all."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if database, queue, beat and the workers of every queue are there, else 503 and what is missing."""
    ages = _ages_of_signs_of_life()
    checks = {"database": ages is not None, "queue": _queue_answers()}
    for process, within_s in expected_processes().items():
        age_s = (ages or {}).get(process)
        checks[process] = age_s is not None and age_s <= within_s
    ready = all(checks.values())
    return JsonResponse(
        {
            "status": "ready" if ready else "not_ready",
            "checks": {name: "ok" if good else "failed" for name, good in checks.items()},
        },
        status=200 if ready else 503,
    )


def expected_processes() -> dict[str, float]:
    """Return how long each process may be silent, in seconds."""
    workers = {
        heartbeats.worker_of(queue): _COMPUTE_WITHIN_S if queue == "compute" else _WITHIN_S
        for queue in settings.QUEUES
    }
    return {"beat": _WITHIN_S, **workers}


def _ages_of_signs_of_life() -> dict[str, float] | None:
    """Return the ages in seconds, or None if the database does not answer."""
    try:
        return heartbeats.ages_s(now=timezone.now())
    except DatabaseError:
        return None


def _queue_answers() -> bool:
    try:
        with Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=_REDIS_TIMEOUT_S,
            socket_connect_timeout=_REDIS_TIMEOUT_S,
        ) as client:
            return bool(client.ping())
    except RedisError:
        return False
