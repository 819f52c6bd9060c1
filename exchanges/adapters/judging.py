"""What is proven when a call to a venue did not end well.

Only a structured no of the venue proves that an order was not taken, and only an untouched wire proves that it was not
sent; every other ending, whatever the exception is called, leaves the order UNKNOWN.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exchanges.adapters.packs.base import VenuePack
from exchanges.adapters.packs.words import Word
from exchanges.adapters.protocol import OutcomeKind
from market.errors import (
    CredentialRejectedError,
    VenueError,
    VenueRejectedError,
    VenueTimeoutError,
    VenueUnavailableError,
)

#: Exceptions of ccxt that mean a refusal, if the venue's answer says so in its own words too.
_REFUSALS: Final = frozenset(
    {
        *("InsufficientFunds", "InvalidOrder", "BadSymbol", "PermissionDenied"),
        *("AccountSuspended", "MarketClosed", "RestrictedLocation", "InvalidNonce"),
    }
)
_NO_REFUSALS: Final = frozenset({"OrderNotFound", "OrderNotCached", "ChecksumError"})
_TIMEOUTS: Final = frozenset({"RequestTimeout", "TimeoutError"})
_UNREACHABLE: Final = frozenset({"NetworkError", "OperationFailed", "ClientError"})

#: An amount or a price does not lie on the grid of its market, as we know it or as the venue does.
OFF_GRID: Final = frozenset({"off_step", "off_tick", "off_lot_step"})

_CODES: Final[Mapping[str, str]] = {
    "InsufficientFunds": "insufficient_balance",
    "BadSymbol": "unknown_symbol",
    "MarketClosed": "market_closed",
    "AccountSuspended": "account_suspended",
    "PermissionDenied": "permission_denied",
    "RestrictedLocation": "restricted_location",
    "OffStepError": "off_step",
    "UnsupportedOrderError": "unsupported_order_type",
    "UnusableIdError": "unusable_order_id",
    "StopPassedError": "would_trigger_at_once",
    # Of our own governor, before anything was sent.
    "BudgetSpentError": "rate_limited",
    "VenueBrokenError": "venue_unavailable",
}

#: The code of an order whose client id the venue has already seen.
DUPLICATE: Final = "duplicate_order_id"
#: The code of a stop whose price was passed before it could wait.
WOULD_TRIGGER: Final = "would_trigger_at_once"

_LONGEST_MESSAGE: Final = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that did not end well: the names of the exception's classes, and what came over the wire.

    ``venue_code`` is empty unless the answer was the venue's own no, in the form that its pack knows.
    """

    names: frozenset[str]
    started: bool
    status: int
    venue_code: str
    venue_message: str

    @classmethod
    def of(
        cls, error: BaseException, *, pack: VenuePack, started: bool, status: int, document: Any
    ) -> "Failure":
        """Describe *error*, with the JSON *document* of the last answer if there was one."""
        word = pack.word_of(status, document) or Word("")
        names = frozenset(kind.__name__ for kind in type(error).__mro__)
        return cls(names, started, status, word.code, word.message[:_LONGEST_MESSAGE])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure proves, and our code for it."""

    kind: OutcomeKind
    code: str


class OrderAbsentError(VenueError):
    """The venue answered that it does not know the order."""

    code = "order_absent"
    status = 404


def judge_submit(failure: Failure, *, pack: VenuePack) -> Verdict:
    """Return what is proven about an order whose submission failed.

    UNKNOWN with DUPLICATE asks for a look-up: an order of that client id is there, and it is probably ours.
    """
    if not failure.started:
        return Verdict(OutcomeKind.NOT_SENT, code_of(failure, pack=pack))
    if _is_duplicate(failure, pack=pack):
        return Verdict(OutcomeKind.UNKNOWN, DUPLICATE)
    if _is_refusal(failure, pack=pack):
        return Verdict(OutcomeKind.REJECTED, code_of(failure, pack=pack))
    return Verdict(OutcomeKind.UNKNOWN, code_of(failure, pack=pack))


def judge_cancel(failure: Failure, *, pack: VenuePack) -> Verdict:
    """Return what is proven about a cancellation that failed.

    REJECTED with ``order_not_open`` says that this call changed nothing: the order may have filled, or never was.
    """
    if not failure.started:
        return Verdict(OutcomeKind.NOT_SENT, code_of(failure, pack=pack))
    if _finds_nothing_open(failure, pack=pack):
        return Verdict(OutcomeKind.REJECTED, "order_not_open")
    if _is_refusal(failure, pack=pack):
        return Verdict(OutcomeKind.REJECTED, code_of(failure, pack=pack))
    return Verdict(OutcomeKind.UNKNOWN, code_of(failure, pack=pack))


def code_of(failure: Failure, *, pack: VenuePack) -> str:
    """Return our code for a failure, whatever it proves."""
    if failure.venue_code in pack.codes.key:
        return "credential_rejected"
    if failure.venue_code in pack.codes.clock:
        return "clock_skew"
    if failure.venue_code in pack.codes.overload or _has(failure, "DDoSProtection"):
        return "rate_limited"
    if failure.venue_code in pack.codes.names:
        # Some venues call a missing permission what others call a wrong key.
        return pack.codes.names[failure.venue_code]
    if _has(failure, "AuthenticationError") and not _has(failure, "PermissionDenied"):
        return "credential_rejected"
    named = _named_code(failure, pack=pack)
    if named or failure.venue_code:
        return named or "venue_rejected"
    if failure.names & _TIMEOUTS:
        return "venue_timeout"
    if failure.names & _UNREACHABLE:
        return "venue_unavailable"
    return "unreadable_answer" if failure.started else "not_sent"


def error_of(failure: Failure, *, pack: VenuePack) -> VenueError:
    """Return the error that a person is told about after a question to a venue failed."""
    # What could not be read is no word on an order, even if the last of several answers sounds like one.
    if failure.venue_code in pack.codes.absent and not _has(failure, "UnreadableError"):
        return OrderAbsentError("The exchange does not know this order.")
    code = code_of(failure, pack=pack)
    if code == "credential_rejected":
        return CredentialRejectedError("The exchange does not accept this API key.")
    if code == "venue_timeout":
        return VenueTimeoutError("The exchange did not answer in time.")
    if code in {"venue_unavailable", "rate_limited", "clock_skew"}:
        return VenueUnavailableError(_UNAVAILABLE[code])
    if code == "unknown_symbol":
        return VenueRejectedError("The exchange does not list this market.")
    if failure.venue_code and failure.venue_code not in pack.codes.unknown:
        return VenueRejectedError(f"The exchange refused: {failure.venue_message}")
    return VenueError("The exchange gave an answer that cannot be read.")


_UNAVAILABLE: Final[Mapping[str, str]] = {
    "venue_unavailable": "The exchange cannot be reached.",
    "rate_limited": "The exchange asks for fewer requests; try again in a minute.",
    "clock_skew": "The exchange's clock and ours differ too much.",
}


def _named_code(failure: Failure, *, pack: VenuePack) -> str:
    for part, code in pack.codes.names.items():
        if part == failure.venue_code or part in failure.venue_message:
            return code
    return next((code for name, code in _CODES.items() if _has(failure, name)), "")


def _has(failure: Failure, name: str) -> bool:
    return name in failure.names


def _finds_nothing_open(failure: Failure, *, pack: VenuePack) -> bool:
    named = failure.venue_code in pack.codes.closed | pack.codes.absent
    return bool(failure.venue_code) and (named or "OrderNotFound" in failure.names)


def _is_duplicate(failure: Failure, *, pack: VenuePack) -> bool:
    is_named_so = (
        bool(pack.codes.duplicate_text) and failure.venue_message == pack.codes.duplicate_text
    )
    is_coded = failure.venue_code in pack.codes.duplicate
    return bool(failure.venue_code) and (
        is_named_so or is_coded or _has(failure, "DuplicateOrderId")
    )


def _is_refusal(failure: Failure, *, pack: VenuePack) -> bool:
    if not failure.venue_code or failure.venue_code in pack.codes.unknown:
        return False
    if not pack.may_refuse_with(failure.status):
        return False
    if failure.venue_code in pack.codes.refused | pack.codes.key | pack.codes.clock:
        return True
    return bool(failure.names & _REFUSALS) and not failure.names & _NO_REFUSALS
