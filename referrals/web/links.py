"""The link by which people bring others: it leads to sign-up and remembers where somebody came from."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from foundation import site_settings
from referrals.selectors.codes import find_active_code
from referrals.services.hints import is_fresh, make_hint, read_hint

_DAY_S = 86_400


@login_not_required
@never_cache
@require_safe
def follow(request: HttpRequest, code: str) -> HttpResponse:
    """Lead to sign-up; the first link that a browser followed counts, as long as it is not too old.

    A code of nobody leads to the same page and leaves nothing.
    """
    response = redirect("account_signup")
    now, window_days = timezone.now(), site_settings.current().referral_window_days
    before = read_hint(request.COOKIES.get(settings.SIGN_UP_HINT_COOKIE, ""))
    counts = before is not None and is_fresh(before, window_days=window_days, now=now)
    if counts or request.user.is_authenticated:
        return response
    known = find_active_code(code)
    if known is not None:
        response.set_cookie(
            settings.SIGN_UP_HINT_COOKIE,
            make_hint(code=known.code, now=now),
            max_age=window_days * _DAY_S,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure(),
        )
    return response
