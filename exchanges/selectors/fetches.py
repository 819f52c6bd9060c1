"""The history that people have asked for."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from exchanges.models import UNFINISHED, FetchStatus, HistoryFetch
from exchanges.selectors.accounts import Owner

_SHOWN_FOR: Final = timedelta(days=1)
_MOST_SHOWN: Final = 20


def fetches_for(owner: Owner, *, now: datetime) -> list[HistoryFetch]:
    """Return what a person has asked for and is under way or was over a day ago at most, newest first."""
    is_recent = Q(status__in=UNFINISHED) | Q(finished_at__gte=now - _SHOWN_FOR)
    return list(
        HistoryFetch.objects.filter(is_recent, requested_by_id=owner.pk)
        .select_related("instrument__venue")
        .order_by("-requested_at", "-pk")[:_MOST_SHOWN]
    )


def is_under_way(fetch: HistoryFetch) -> bool:
    """Tell whether a fetch is not over yet."""
    return fetch.status in {FetchStatus.QUEUED, FetchStatus.RUNNING}
