"""The history that people have asked for."""

from collections.abc import Collection
from dataclasses import dataclass
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


def look_at(fetch_ids: Collection[int]) -> "Fetched":
    """Return where some fetches stand together."""
    rows = list(HistoryFetch.objects.filter(pk__in=fetch_ids))
    return Fetched(
        is_under_way=any(map(is_under_way, rows)),
        done=sum(map(_fraction_of, rows)) / len(rows) if rows else 1.0,
        instrument_ids=frozenset(fetch.instrument_id for fetch in rows),
    )


@dataclass(frozen=True, slots=True)
class Fetched:
    """Whether one of some fetches is under way, the fraction of all that is done, and for which markets."""

    is_under_way: bool
    done: float
    instrument_ids: frozenset[int]


def _fraction_of(fetch: HistoryFetch) -> float:
    if not is_under_way(fetch):
        return 1.0
    if fetch.reached_at is None:
        return 0.0
    whole = fetch.to_at - fetch.from_at
    return min(max((fetch.reached_at - fetch.from_at) / whole, 0.0), 1.0)
