"""Lists by cursor: a page begins after the row that its cursor names, whatever was added meanwhile.

A cursor is opaque and signed, so that a key of ours is neither read nor made up outside. Parameters that a list
does not know are refused, because a filter that is silently ignored shows the wrong rows.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from django.core import signing
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.serializers import InstantField
from market.errors import FieldProblem, InvalidInputError

Item = TypeVar("Item")

DEFAULT_LIMIT: Final = 50
MAXIMUM_LIMIT: Final = 200
_PAGE: Final = ("limit", "cursor")
_SALT: Final = "foundation.cursor"


class InvalidParameterError(InvalidInputError):
    """A parameter of the address is not one that the list knows, or has no such value."""

    code = "invalid_parameter"

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message, problems=[FieldProblem(name, self.code, message)])


def page_response(
    request: Request,
    read: Callable[[str | None, int], Sequence[Item]],
    *,
    name_of: Callable[[Item], str],
    present: Callable[[Item], Mapping[str, Any]],
    filters: Collection[str] = (),
) -> Response:
    """Answer a page of what *read* returns, given what the cursor names (None: begin) and how much at most.

    *filters* are the other parameters of this list, which *read* has taken into account.
    """
    refuse_unknown(request, allowed=(*filters, *_PAGE))
    limit = _limit_of(request)
    found = read(_named(request), limit + 1)
    more = None
    if len(found) > limit:
        cursor = signing.dumps([request.path, name_of(found[limit - 1])], salt=_SALT)
        kept = {
            name: request.query_params[name] for name in filters if name in request.query_params
        }
        query = urlencode({**kept, "limit": limit, "cursor": cursor})
        more = request.build_absolute_uri(f"{request.path}?{query}")
    return Response({"results": [present(item) for item in found[:limit]], "next": more})


def key_of(named: str | None) -> int | None:
    """Return the key that a cursor names; None at the beginning."""
    return None if named is None else int(named)


def refuse_unknown(request: Request, *, allowed: Collection[str] = ()) -> None:
    """Raise InvalidParameterError for a parameter that is not *allowed*, or that is given twice."""
    for name, values in request.query_params.lists():
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            raise InvalidParameterError(
                name[:40], f"Unknown parameter “{name[:40]}”. Allowed: {known}."
            )
        if len(values) > 1:
            raise InvalidParameterError(name, f"{name} is given twice.")


def choice_parameter(request: Request, name: str, allowed: Collection[str]) -> str | None:
    """Return the value of a filter that knows a few values; None without it."""
    value = request.query_params.get(name)
    if value is not None and value not in allowed:
        raise InvalidParameterError(name, f"{name} is one of {', '.join(allowed)}.")
    return value


def text_parameter(request: Request, name: str, *, longest: int = 80) -> str | None:
    """Return the value of a filter by a code or a name; None without it."""
    value = request.query_params.get(name)
    if value is not None and not (0 < len(value) <= longest and value.isprintable()):
        raise InvalidParameterError(name, f"{name} has from 1 to {longest} printable characters.")
    return value


def instant_parameter(request: Request, name: str) -> datetime | None:
    """Return the value of a filter by time, in UTC; None without it."""
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        return InstantField().to_internal_value(value)
    except ValidationError:
        message = f"{name}: use ISO 8601 with a zone, such as 2026-01-31T00:00:00Z."
        raise InvalidParameterError(name, message) from None


def flag_parameter(request: Request, name: str) -> bool | None:
    """Return the value of a filter by yes or no; None without it."""
    value = choice_parameter(request, name, ("true", "false"))
    return None if value is None else value == "true"


def _limit_of(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAXIMUM_LIMIT):
        raise InvalidParameterError("limit", f"limit must be from 1 to {MAXIMUM_LIMIT}.")
    return int(text)


def _named(request: Request) -> str | None:
    """Return what the cursor names, which must be one of this very list."""
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    try:
        path, named = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError):
        path, named = "", ""
    if path != request.path:
        raise InvalidParameterError("cursor", "cursor must be that of the page before.")
    return str(named)
