"""The table behind every outcome: what the exception is called hardly matters, what the venue said does."""

import pytest

from exchanges.adapters import judging
from exchanges.adapters.judging import Failure
from exchanges.adapters.packs import pack_of
from exchanges.adapters.protocol import OutcomeKind

PACK = pack_of("binance")


def make_failure(*names, started=True, status=400, code="", message=""):
    return Failure(frozenset(names), started, status, code, message)


EXCEPTIONS = [
    "RequestTimeout", "NetworkError", "ExchangeNotAvailable", "ExchangeError", "InvalidOrder",
    "InsufficientFunds", "DDoSProtection", "RateLimitExceeded", "BadResponse", "OperationFailed",
    "OrderNotFound", "AuthenticationError", "TimeoutError", "KeyError", "TypeError", "ValueError",
]  # fmt: skip


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_whatever_is_raised_before_the_wire_was_not_sent(name):
    failure = make_failure(name, started=False, status=0)

    assert judging.judge_submit(failure, pack=PACK).kind is OutcomeKind.NOT_SENT


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_whatever_is_raised_without_the_venues_own_no_is_unknown(name):
    failure = make_failure(name, status=0)

    assert judging.judge_submit(failure, pack=PACK).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize(
    ("names", "code", "kind", "ours"),
    [
        (["InsufficientFunds"], "-2010", OutcomeKind.REJECTED, "insufficient_balance"),
        (["InvalidOrder"], "-2010", OutcomeKind.REJECTED, "venue_rejected"),
        (["BadSymbol"], "-1121", OutcomeKind.REJECTED, "unknown_symbol"),
        (["InvalidNonce"], "-1021", OutcomeKind.REJECTED, "clock_skew"),
        (["MarketClosed"], "-9", OutcomeKind.REJECTED, "market_closed"),
        (["RateLimitExceeded"], "-1003", OutcomeKind.REJECTED, "rate_limited"),
        (["AuthenticationError"], "-2015", OutcomeKind.REJECTED, "credential_rejected"),
        # A key that worked before is reported as protection against floods; the code says better.
        (["DDoSProtection"], "-2015", OutcomeKind.REJECTED, "credential_rejected"),
        (["DuplicateOrderId"], "-2010", OutcomeKind.UNKNOWN, "duplicate_order_id"),
        (["OrderNotFound", "InvalidOrder"], "-2013", OutcomeKind.UNKNOWN, "venue_rejected"),
        (["OperationFailed"], "-1006", OutcomeKind.UNKNOWN, "venue_rejected"),
        (["RequestTimeout"], "-1007", OutcomeKind.UNKNOWN, "venue_rejected"),
        (["ExchangeError"], "-4321", OutcomeKind.UNKNOWN, "venue_rejected"),
    ],
)
def test_a_structured_answer_is_judged_by_its_code(names, code, kind, ours):
    verdict = judging.judge_submit(make_failure(*names, code=code), pack=PACK)

    assert (verdict.kind, verdict.code) == (kind, ours)


def test_only_a_client_error_with_a_code_counts_as_the_venues_word():
    document = {"code": -2010, "msg": "Filter failure: NOTIONAL"}

    spoken = Failure.of(ValueError(), pack=PACK, started=True, status=400, document=document)
    broken = Failure.of(ValueError(), pack=PACK, started=True, status=502, document=document)
    listed = Failure.of(ValueError(), pack=PACK, started=True, status=400, document=[document])

    assert (spoken.venue_code, spoken.venue_message) == ("-2010", "Filter failure: NOTIONAL")
    assert broken.venue_code == ""
    assert listed.venue_code == ""


def test_a_cancellation_of_what_is_not_open_changed_nothing():
    failure = make_failure("OrderNotFound", code="-2011", message="Unknown order sent.")

    verdict = judging.judge_cancel(failure, pack=PACK)

    assert (verdict.kind, verdict.code) == (OutcomeKind.REJECTED, "order_not_open")


def test_a_cancellation_that_only_the_exception_calls_not_found_is_unknown():
    failure = make_failure("OrderNotFound", status=502)

    assert judging.judge_cancel(failure, pack=PACK).kind is OutcomeKind.UNKNOWN
