"""Signs of life: a process that is up is not yet a process that works."""

from datetime import datetime, timedelta

from foundation.models import Heartbeat


def record(*, process: str, now: datetime) -> None:
    """Note that *process* did something at *now*."""
    Heartbeat.objects.update_or_create(process=process, defaults={"beat_at": now})


def worker_of(queue: str) -> str:
    """Return the name under which the workers of *queue* give signs of life."""
    return f"worker-{queue}"


def ages_s(*, now: datetime) -> dict[str, float]:
    """Return how many seconds ago each process last gave a sign of life, by its name."""
    return {
        process: (now - beat_at).total_seconds()
        for process, beat_at in Heartbeat.objects.values_list("process", "beat_at")
    }


def is_alive(process: str, *, now: datetime, within_s: float) -> bool:
    """Tell whether *process* gave a sign of life within the last *within_s* seconds."""
    return Heartbeat.objects.filter(
        process=process, beat_at__gte=now - timedelta(seconds=within_s)
    ).exists()
