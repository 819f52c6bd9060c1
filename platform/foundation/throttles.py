"""How often the API may be called: counters in Redis, by token, person or address.

The limits stand in ``settings.API_RATES``. Each counts within fixed spans of time. Without Redis, reading and
ordinary writing stay open, while guessing at secrets and starting live trading are closed.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from foundation.http import address_of
from foundation.rates import Rate
from foundation.scopes import Grant
from market.errors import PlatformError

if TYPE_CHECKING:
    # The framework imports this module while it makes that class.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

_RETRY_WITHOUT_COUNTERS_S: Final = 30


class RateLimitedError(PlatformError):
    """Too many calls; ``retry_after_s`` says when the next one is welcome."""

    code = "rate_limited"
    status = 429
    title = "Too many requests"

    def __init__(self, *, rate: Rate, retry_after_s: int) -> None:
        super().__init__(
            f"At most {rate.count} requests in {rate.period_s} seconds. "
            f"Try again in {retry_after_s} seconds."
        )
        self.retry_after_s = retry_after_s


class CountersUnavailableError(PlatformError):
    """What guards this is away, so it is closed."""

    code = "unavailable"
    status = 503
    title = "Not available at the moment"
    retry_after_s = _RETRY_WITHOUT_COUNTERS_S

    def __init__(self) -> None:
        super().__init__("This is not available at the moment. Try again in half a minute.")


class RateThrottle(BaseThrottle):
    """Counts a call in each bucket that the view names for its method.

    ``throttle_buckets`` of a view maps methods to names in ``settings.API_RATES``; without it GET counts as
    ``read`` and everything else as ``write``.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Return True, or raise RateLimitedError or CountersUnavailableError."""
        who = _caller(request)
        for bucket in buckets_of(view, str(request.method)):
            count_call(bucket, who=who)
        return True


def buckets_of(view: "APIView | type[APIView]", method: str) -> Sequence[str]:
    """Return the names of the buckets in which a call of *view* by *method* counts."""
    named: Mapping[str, Sequence[str]] = getattr(view, "throttle_buckets", {})
    default = ("read",) if method in {"GET", "HEAD", "OPTIONS"} else ("write",)
    return named.get(method, default)


def count_call(bucket: str, *, who: str) -> None:
    """Count a call of *who* in *bucket*; raise RateLimitedError beyond the limit."""
    rates: Mapping[str, Rate] = settings.API_RATES
    rate = rates[bucket]
    span, passed_s = divmod(int(time.time()), rate.period_s)
    key = f"rate:{bucket}:{who}:{span}"
    try:
        # Kept for two spans, so that the counter cannot vanish between the two calls.
        cache.add(key, 0, timeout=2 * rate.period_s)
        calls = cache.incr(key)
    except RedisError as error:
        logger.warning("throttle.no_counters", extra={"bucket": bucket, "reason": str(error)[:100]})
        if rate.is_closed_without_counters:
            raise CountersUnavailableError from None
        return
    if calls > rate.count:
        raise RateLimitedError(rate=rate, retry_after_s=rate.period_s - passed_s)


def _caller(request: Request) -> str:
    grant: Any = request.auth
    if isinstance(grant, Grant):
        return f"token:{grant.key}"
    if request.user.is_authenticated:
        return f"person:{request.user.pk}"
    return f"address:{address_of(request)}"
