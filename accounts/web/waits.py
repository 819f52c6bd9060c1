"""How long somebody waits who has used up the tries of a form of the accounts library."""

import math
import time
from collections.abc import Iterator
from typing import Final

from allauth.core.internal import ratelimit
from allauth.core.internal.ratelimit import Rate
from django.core.cache import cache
from django.http import HttpRequest

#: Which tries a page counts, by the name of its address; another page may be of any of them.
_ACTIONS: Final = {
    "account_login": "login",
    "account_signup": "signup",
    "account_reset_password": "reset_password",
    "account_reset_password_from_key": "reset_password_from_key",
    "account_email": "manage_email",
    "account_change_password": "change_password",
    "account_set_password": "change_password",
    "account_reauthenticate": "reauthenticate",
    "send-link": "send_link",
}
_APP: Final = "allauth.account"
#: Where nothing is found to be used up any more, it has just become free.
_SHORTEST_S: Final = 1


def seconds_to_wait(request: HttpRequest) -> int:
    """Return after how many seconds the form that has just been refused may be sent again."""
    now = time.time()
    waits = [_wait_s(key, rate, now=now) for key, rate in _counters(request)]
    return max(_SHORTEST_S, math.ceil(max(waits, default=0)))


def _wait_s(key: str, rate: Rate, *, now: float) -> float:
    """Return how long until the oldest of the tries that fill a limit is forgotten; 0 if there is room."""
    tries: list[float] = [at for at in cache.get(key, []) if at > now - rate.duration]
    if len(tries) < rate.amount:
        return 0
    # The newest is first; room for one more is there when all but the newest ones below the limit are gone.
    return float(tries[rate.amount - 1] + rate.duration - now)


def _counters(request: HttpRequest) -> Iterator[tuple[str, Rate]]:
    """Yield each counter that may have refused the request, with its limit."""
    match = request.resolver_match
    action = _ACTIONS.get(match.url_name or "") if match else None
    email = request.POST.get("email", "").strip().lower()
    for each in [action] if action else sorted(set(_ACTIONS.values())):
        for rate in ratelimit.get_rates(app=_APP, action=each):
            if rate.per == "key" and not email:
                continue
            if rate.per == "user" and not request.user.is_authenticated:
                continue
            yield (
                ratelimit.get_cache_key(request, app=_APP, action=each, rate=rate, key=email),
                rate,
            )
