"""Lists by cursor, newest first: a page begins below the row that its cursor names.

A cursor is opaque and signed, so that a key of ours is neither read nor made up outside.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from django.core import signing
from rest_framework.request import Request
from rest_framework.response import Response

from backtesting.api.paging import InvalidParameterError, limit_of, refuse_unknown

Item = TypeVar("Item")

_SALT: Final = "trading.cursor"


def page_response(
    request: Request,
    read: Callable[[str | None, int], Sequence[Item]],
    *,
    name_of: Callable[[Item], str],
    present: Callable[[Item], dict[str, Any]],
) -> Response:
    """Answer a page of what *read* returns, given the name in the cursor and how much at most."""
    refuse_unknown(request, allowed=("limit", "cursor"))
    limit = limit_of(request)
    found = read(_named(request), limit + 1)
    more = None
    if len(found) > limit:
        cursor = signing.dumps([request.path, name_of(found[limit - 1])], salt=_SALT)
        query = urlencode({"limit": limit, "cursor": cursor})
        more = request.build_absolute_uri(f"{request.path}?{query}")
    return Response({"results": [present(item) for item in found[:limit]], "next": more})


def key_of(named: str | None) -> int | None:
    """Return the key that a cursor names; None at the newest row."""
    return None if named is None else int(named)


def _named(request: Request) -> str | None:
    """Return what the cursor names, which must be one of this very list."""
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    try:
        path, named = signing.loads(cursor, salt=_SALT)
    except signing.BadSignature:
        path, named = "", ""
    if path != request.path:
        raise InvalidParameterError("cursor", "cursor must be that of the page before.")
    return str(named)
