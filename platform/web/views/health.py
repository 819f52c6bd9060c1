"""Whether the process is up, and whether the platform can work."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from redis import Redis
from redis.exceptions import RedisError

from foundation import heartbeats

_BEAT_WITHIN_S = 60.0


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as this process answers at all."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if database, queue and background work are there, else 503 and what is missing."""
    checks = {"database": _database_answers(), "queue": _queue_answers()}
    checks["background"] = checks["database"] and heartbeats.is_alive(
        "beat", now=timezone.now(), within_s=_BEAT_WITHIN_S
    )
    ready = all(checks.values())
    return JsonResponse(
        {
            "status": "ready" if ready else "not_ready",
            "checks": {name: "ok" if good else "failed" for name, good in checks.items()},
        },
        status=200 if ready else 503,
    )


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _queue_answers() -> bool:
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2
        ) as client:
            return bool(client.ping())
    except RedisError:
        return False
