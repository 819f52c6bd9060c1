"""Lists by cursor: a page begins after a thing that the caller has seen."""

from typing import Final
from uuid import UUID

from rest_framework.request import Request

from market.errors import FieldProblem, InvalidInputError

DEFAULT_LIMIT: Final = 50
MAXIMUM_LIMIT: Final = 200


class InvalidParameterError(InvalidInputError):
    """A parameter of the address is not one that the list knows."""

    code = "invalid_parameter"

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message, problems=[FieldProblem(name, self.code, message)])


def refuse_unknown(request: Request, *, allowed: tuple[str, ...]) -> None:
    """Raise InvalidParameterError for a parameter that is not *allowed*."""
    for name in request.query_params:
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            raise InvalidParameterError(
                name[:40], f"Unknown parameter “{name[:40]}”. Allowed: {known}."
            )


def limit_of(request: Request) -> int:
    """Return how many things the caller wants at most."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAXIMUM_LIMIT):
        raise InvalidParameterError("limit", f"limit must be from 1 to {MAXIMUM_LIMIT}.")
    return int(text)


def after_number(request: Request) -> int:
    """Return the number after which the page begins; 0 at the beginning."""
    text = request.query_params.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidParameterError("after", "after must be the number of a trade.")
    return int(text)


def after_id(request: Request) -> UUID | None:
    """Return the id after which the page begins; None at the beginning."""
    text = request.query_params.get("after")
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise InvalidParameterError("after", "after must be the id of a backtest.") from None


def next_url(request: Request, *, after: object, limit: int) -> str:
    """Return the address of the page after the thing *after*."""
    return request.build_absolute_uri(f"{request.path}?limit={limit}&after={after}")
