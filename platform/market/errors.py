"""The tree of failures that a person can be told about, each with a stable code and a status.

Everything else that goes wrong is a bug and stays an ordinary exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one input: the field's name, a stable code and a text for a person."""

    field: str
    code: str
    message: str


class PlatformError(Exception):
    """An expected failure: ``message`` for a person, ``code`` for programs; it never changes."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "The request failed"

    def __init__(self, message: str = "", *, problems: Sequence[FieldProblem] = ()) -> None:
        super().__init__(message or self.title)
        self.message = message or self.title
        self.problems = tuple(problems)


class InvalidInputError(PlatformError):
    """What was sent cannot be accepted as it is; ``problems`` names every field at once."""

    code = "invalid_input"
    status = 400
    title = "The input is not valid"


class EntitlementError(PlatformError):
    """The person's plan does not allow this."""

    code = "payment_required"
    status = 402
    title = "Your plan does not include this"


class ForbiddenError(PlatformError):
    """The person is known and may not do this."""

    code = "forbidden"
    status = 403
    title = "You may not do this"


class NotFoundError(PlatformError):
    """There is no such thing, or it belongs to somebody else: the answer is the same."""

    code = "not_found"
    status = 404
    title = "Not found"


class ConflictError(PlatformError):
    """The thing is not in a state in which this can be done."""

    code = "invalid_state"
    status = 409
    title = "This cannot be done now"


class PreconditionError(PlatformError):
    """The thing is not as the one who changes it believes."""

    code = "precondition_failed"
    status = 412
    title = "It has changed meanwhile"


class UnprocessableError(PlatformError):
    """The input is well formed, and a rule of the venue or of a limit refuses it."""

    code = "unprocessable"
    status = 422
    title = "This is outside the limits"


class VenueError(PlatformError):
    """A venue refused, failed or did not answer."""

    code = "venue_error"
    status = 502
    title = "The exchange did not do this"


class VenueRejectedError(VenueError):
    """The venue answered, and said no: it is proven that nothing was done."""

    code = "venue_rejected"
    status = 422


class VenueTimeoutError(VenueError):
    """The venue did not answer in time; what it did is unknown."""

    code = "venue_timeout"
    status = 504


class VenueUnavailableError(VenueError):
    """The venue could not be reached, or says that it is closed."""

    code = "venue_unavailable"
    status = 503


class UnsupportedByVenueError(VenueError):
    """The venue does not have this, or the platform does not use it there; nothing was asked."""

    code = "unsupported_by_venue"
    status = 422
    title = "This exchange does not offer that"


class CredentialRejectedError(VenueError):
    """The venue does not accept the API key."""

    code = "credential_rejected"
    status = 400
