"""Where payment providers tell us that something has changed.

The raw body is what is proven, so it is read before anything looks into it. The answer is 200 once the
notice is stored; what follows from it is a worker's.
"""

import logging

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.providers.protocol import SignatureInvalidError
from billing.providers.registry import find_provider
from billing.services import provider_events
from billing.services.provider_events import LARGEST_BODY_BYTES
from foundation.bodies import BodyTooLargeError, BodyTooSlowError, read_body
from foundation.http import address_of
from foundation.throttles import RateLimitedError, count_call
from market.errors import PlatformError

logger = logging.getLogger(__name__)


@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """Store a proven notice and answer 200, also to a repeat; everything else gets its status and a code."""
    if find_provider(provider) is None:
        return _refusal(404, "not_found")
    if request.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
        return _refusal(415, "unsupported_encoding")
    try:
        raw_body = read_body(request, at_most=LARGEST_BODY_BYTES, within_s=settings.HORIZONS.body_s)
    except BodyTooLargeError:
        return _refusal(413, "too_large")
    except BodyTooSlowError:
        return _refusal(408, "too_slow")
    try:
        provider_events.receive(
            provider_code=provider,
            headers={name.lower(): value for name, value in request.headers.items()},
            raw_body=raw_body,
            now=timezone.now(),
        )
    except SignatureInvalidError as error:
        return _refuse_forged(request, error)
    except PlatformError as error:
        logger.error(  # noqa: TRY400  the code says it all
            "webhook.refused", extra={"provider": provider, "reason": error.code}
        )
        return _refusal(error.status, error.code)
    except DatabaseError:
        # The provider sends it again, and by then the database is back.
        logger.exception("webhook.not_stored", extra={"provider": provider})
        return _refusal(503, "unavailable")
    return JsonResponse({"received": True})


def _refuse_forged(request: HttpRequest, error: SignatureInvalidError) -> HttpResponse:
    """Answer 400 without a reason, and 429 to an address that does nothing else."""
    logger.warning("webhook.forged", extra={"address": address_of(request)})
    try:
        count_call("forged_notice", who=f"address:{address_of(request)}")
    except RateLimitedError as limited:
        refusal = _refusal(limited.status, limited.code)
        refusal["Retry-After"] = str(limited.retry_after_s)
        return refusal
    return _refusal(error.status, error.code)


def _refusal(status: int, code: str) -> HttpResponse:
    return JsonResponse({"code": code}, status=status)
