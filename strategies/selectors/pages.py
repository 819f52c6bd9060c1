"""Pages of the catalogue; they may lag by some seconds (see ``foundation.replica``)."""

from collections.abc import Sequence

from foundation import replica
from strategies.models import Strategy


def strategies_after(
    *, slug: str | None, limit: int, category: str | None = None, risk: str | None = None
) -> Sequence[Strategy]:
    """Return at most *limit* of what is offered, by slug, beginning after the one with *slug*."""
    asked = {"slug__gt": slug, "category": category, "risk": risk}
    given = {name: value for name, value in asked.items() if value is not None}
    found = Strategy.objects.using(replica.using()).offered().filter(**given)
    return list(found.order_by("slug")[:limit])
