"""How many calls each venue allows, and what each call weighs there."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import VenuePack
from exchanges.domain.budgets import Limit

#: The list of limits stands before the list of markets.
_HEAD_BYTES: Final = 65_536
_PUBLISHED: Final = re.compile(rb'"rateLimits"\s*:\s*(\[[^\]]*\])')
_UNITS_MS: Final[Mapping[str, int]] = MappingProxyType(
    {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
)
#: Longer spans are not worth a queue: nobody waits until tomorrow.
_LONGEST_SPAN_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class VenueLimits:
    """What a venue allows an address, and an API key if it counts that apart, in its weights; and a key's new orders."""

    address: Limit
    orders: Limit | None = None
    key: Limit | None = None


#: New orders of a key, by pack.
#: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits
#: https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info
_ORDERS: Final[Mapping[str, Limit]] = MappingProxyType(
    {"binance": Limit(100, 10_000), "binanceusdm": Limit(300, 10_000)}
)


def documented(pack: VenuePack) -> VenueLimits:
    """Return what a venue documents."""
    by_key = pack.key_weight_per_minute
    return VenueLimits(
        Limit(pack.weight_per_minute, 60_000),
        orders=_ORDERS.get(pack.ccxt_id),
        key=None if by_key is None else Limit(by_key, 60_000),
    )


def are_published_at(path: str) -> bool:
    """Tell whether a venue's limits stand in the answer to this request."""
    return path.endswith("/exchangeInfo")


def weight_of(cost: float, *, call_pause_ms: float, limit: Limit) -> int:
    """Return the weight of a call that may be repeated every *cost* times *call_pause_ms* without reaching *limit*."""
    # A millionth is taken off so that 0.2 * 50 * 0.1 does not become 2.
    return max(1, math.ceil(cost * call_pause_ms * limit.weight / limit.span_ms - 1e-6))


def published(body: bytes, known: VenueLimits) -> VenueLimits:
    """Return *known* with what a venue's list of markets says of its limits now."""
    found = _PUBLISHED.search(body[:_HEAD_BYTES])
    if found is None:
        return known
    try:
        rows = json.loads(found.group(1))
    except ValueError:
        return known
    limits: dict[str, Limit] = {}
    for row in rows:
        read = _read(row)
        if read is not None and read.span_ms <= _LONGEST_SPAN_MS:
            limits.setdefault(str(row.get("rateLimitType")), read)
    return replace(
        known,
        address=limits.get("REQUEST_WEIGHT", known.address),
        orders=limits.get("ORDERS", known.orders),
    )


def _read(row: Any) -> Limit | None:
    try:
        span_ms = int(row["intervalNum"]) * _UNITS_MS[row["interval"]]
        weight = int(row["limit"])
    except (KeyError, TypeError, ValueError):
        return None
    return Limit(weight, span_ms) if weight > 0 and span_ms > 0 else None
