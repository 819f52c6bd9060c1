"""Requests that must happen once, however often a client sends them: ``Idempotency-Key``.

The key and the hash of the body are stored before the work, the answer after it, for a day. A repeat gets the
stored answer. A process that dies in between leaves a row without an answer: after a minute the next repeat does
the work again, which finds what was already done by a key of its own (the deployment of that request, the command
of that key).
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.models import IdempotentRequest
from foundation.transactions import transactional
from market.errors import ConflictError, InvalidInputError, UnprocessableError

HEADER: Final = "Idempotency-Key"
#: How long an answer is kept.
KEPT: Final = timedelta(hours=24)
#: Longer than any request may work; a row that is older without an answer was left by a process that died.
_LONGEST_WORK: Final = timedelta(seconds=60)
#: Rows that one sweep deletes at most.
_BATCH: Final = 5_000


class IdempotencyKeyRequiredError(InvalidInputError):
    """The request came without the header that makes it happen only once."""

    code = "idempotency_key_required"

    def __init__(self) -> None:
        super().__init__(f"Send a header {HEADER}, a new UUID for each thing that you want done.")


class InvalidIdempotencyKeyError(InvalidInputError):
    """The header is no UUID."""

    code = "invalid_idempotency_key"

    def __init__(self) -> None:
        super().__init__(f"{HEADER} must be a UUID, such as 0b1f3a52-9c1e-4d0f-8a77-3f1c5b1b7a10.")


class IdempotencyKeyReusedError(UnprocessableError):
    """The key belongs to a request that asked for something else."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(f"This {HEADER} was used for another request. Send a new one.")


class RequestInProgressError(ConflictError):
    """The same request is being worked on."""

    code = "request_in_progress"
    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("The same request is being worked on. Ask again in a second.")


def answer_once(
    request: Request,
    work: Callable[[str], Response],
    *,
    now: datetime,
    is_required: bool = True,
) -> Response:
    """Answer what *work* answers, or what it answered to the same request before.

    *work* is given the key as text, by which it recognizes what it has already done; "" if the client sent none
    and none is required. A failure is not kept: the same key may be sent again. Raises one of the errors above.
    """
    key = _key_of(request, is_required=is_required)
    if key is None:
        return work("")
    row = _begin(
        owner_id=cast(int, request.user.pk),
        route=_route_of(request),
        key=key,
        body_hash=_hash_of(request.data),
        now=now,
    )
    if row.answered_at is not None:
        return _stored_answer(row)
    try:
        response = work(str(key))
    except BaseException:
        _forget(row)
        raise
    _keep(row, response, now=now)
    return response


def forget_old(*, now: datetime) -> int:
    """Delete the rows of requests that are older than a day, at most some thousand; return how many."""
    old = IdempotentRequest.objects.filter(requested_at__lt=now - KEPT).order_by("pk")
    keys = list(old.values_list("pk", flat=True)[:_BATCH])
    IdempotentRequest.objects.filter(pk__in=keys).delete()
    return len(keys)


@transactional
def _begin(
    *, owner_id: int, route: str, key: UUID, body_hash: str, now: datetime
) -> IdempotentRequest:
    """Return the row of this request: a new one, an answered one, or one taken over from a dead process."""
    row, is_new = IdempotentRequest.objects.select_for_update().get_or_create(
        owner_id=owner_id,
        route=route,
        key=key,
        defaults={"body_hash": body_hash, "requested_at": now},
    )
    if is_new:
        return row
    if row.requested_at <= now - KEPT:
        # As good as deleted: the sweep has not come by yet.
        row.body_hash, row.answered_at = body_hash, None
    elif row.body_hash != body_hash:
        raise IdempotencyKeyReusedError
    elif row.answered_at is not None:
        return row
    elif row.requested_at > now - _LONGEST_WORK:
        raise RequestInProgressError
    row.requested_at = now
    row.save(update_fields=["requested_at", "body_hash", "answered_at"])
    return row


def _keep(row: IdempotentRequest, response: Response, *, now: datetime) -> None:
    answer = {
        "body": json.loads(JSONRenderer().render(response.data)),
        "location": response.headers.get("Location"),
    }
    _own(row).update(status_code=response.status_code, answer=answer, answered_at=now)


def _forget(row: IdempotentRequest) -> None:
    _own(row).delete()


def _own(row: IdempotentRequest) -> Any:
    # Whoever took the row over meanwhile has moved its time, and decides about it.
    return IdempotentRequest.objects.filter(
        pk=row.pk, requested_at=row.requested_at, answered_at=None
    )


def _stored_answer(row: IdempotentRequest) -> Response:
    answer: dict[str, Any] = row.answer or {}
    headers = {"Idempotency-Replayed": "true"}
    if answer.get("location"):
        headers["Location"] = answer["location"]
    return Response(answer.get("body"), status=row.status_code, headers=headers)


def _key_of(request: Request, *, is_required: bool) -> UUID | None:
    text = request.headers.get(HEADER, "")
    if not text:
        if is_required:
            raise IdempotencyKeyRequiredError
        return None
    try:
        key = UUID(text)
    except ValueError:
        raise InvalidIdempotencyKeyError from None
    # The library also reads braces and prefixes, of which two texts could mean the same key.
    if text.lower() != str(key):
        raise InvalidIdempotencyKeyError
    return key


def _route_of(request: Request) -> str:
    return f"{request.method} {request.path}"[:100]


def _hash_of(body: Any) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
