"""Who waits to be deleted."""

from collections.abc import Sequence

from accounts.models import User


def people_to_erase(*, most: int) -> Sequence[int]:
    """Return the ids of people who asked to be deleted and are not yet, the longest waiting first."""
    waiting = User.objects.filter(erasure_requested_at__isnull=False, erased_at=None)
    return list(waiting.order_by("erasure_requested_at", "pk").values_list("pk", flat=True)[:most])
