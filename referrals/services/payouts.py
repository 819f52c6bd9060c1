"""Payouts: a person asks for all that is payable, an operator sends it or rejects it.

Everything holds the row of the person's code first: of many requests at once one finds the money.
"""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from billing.domain.accounts import AccountCode
from billing.selectors import ledger
from foundation import audit, site_settings
from foundation.audit import Actor
from foundation.transactions import part_of_transaction, transactional
from market.errors import ConflictError, FieldProblem, InvalidInputError, UnprocessableError
from referrals.domain.amounts import money
from referrals.domain.payouts import PayoutStatus, advance
from referrals.models import Payout, PayoutMethod
from referrals.selectors.codes import Owner
from referrals.selectors.payouts import PayoutNotFoundError
from referrals.services import books, notices
from referrals.services.codes import lock_referrer

logger = logging.getLogger(__name__)

LONGEST_DESTINATION: Final = 200
LONGEST_REFERENCE: Final = 100
LONGEST_NOTE: Final = 300
_SHORTEST_DESTINATION: Final = 4


class InvalidPayoutError(InvalidInputError):
    """What was sent with a request or a decision cannot be used; ``problems`` names each field."""

    code = "invalid_payout"


class PayoutOpenError(ConflictError):
    """The person has asked already, and nobody has decided yet."""

    code = "payout_open"

    def __init__(self, currency: str) -> None:
        super().__init__(f"You have asked for a payout in {currency} already. Wait for its answer.")


class BelowMinimumError(UnprocessableError):
    """Too little is payable, or nothing."""

    code = "below_minimum_payout"

    def __init__(self, *, payable: Decimal, minimum: Decimal, currency: str) -> None:
        super().__init__(
            f"{money(payable, currency)} can be paid out now; "
            f"the smallest payout is {money(minimum, currency)}."
        )
        self.payable, self.minimum = payable, minimum


@transactional
def request_payout(
    *,
    owner: Owner,
    currency: str,
    method: str,
    destination: str,
    request_key: str = "",
    by: Actor,
    now: datetime,
) -> Payout:
    """Ask for all that is payable to a person in *currency*, and return the payout.

    The same *request_key* asks once. Raises InvalidPayoutError, PayoutOpenError while an earlier one
    waits, or BelowMinimumError.
    """
    destination = _checked(method=method, destination=destination)
    owner_id = cast(int, owner.pk)
    lock_referrer(owner_id=owner_id)
    asked = Payout.objects.filter(owner_id=owner_id, request_key=request_key).first()
    if request_key and asked is not None:
        return asked
    if Payout.objects.filter(
        owner_id=owner_id, currency=currency, status=PayoutStatus.REQUESTED
    ).exists():
        raise PayoutOpenError(currency)
    payable = ledger.balance(
        account=AccountCode.COMMISSION_PAYABLE, currency=currency, owner_id=owner_id
    )
    minimum = site_settings.current().referral_minimum_payout
    if payable <= 0 or payable < minimum:
        raise BelowMinimumError(payable=payable, minimum=minimum, currency=currency)
    payout = Payout.objects.create(
        owner_id=owner_id,
        currency=currency,
        amount=payable,
        method=method,
        destination=destination,
        request_key=request_key,
        requested_at=now,
    )
    books.book_requested(payout)
    _record(payout, "payout.requested", by=by)
    return payout


@transactional
def send_payout(*, payout_id: int, reference: str, by: Actor, now: datetime) -> Payout:
    """Note that an operator has sent the money, with the *reference* of the transfer.

    Raises PayoutNotFoundError, PayoutClosedError, or InvalidPayoutError without a reference.
    """
    reference = _required("reference", reference, longest=LONGEST_REFERENCE)
    payout = _lock(payout_id)
    payout.reference = reference
    _close(payout, PayoutStatus.SENT, now=now)
    books.book_sent(payout, now=now)
    _record(payout, "payout.sent", by=by, reference=reference)
    notices.tell_sent(payout)
    return payout


@transactional
def reject_payout(*, payout_id: int, note: str, by: Actor, now: datetime) -> Payout:
    """Return the amount of a payout to what is payable; the person reads the *note*.

    Raises PayoutNotFoundError, PayoutClosedError, or InvalidPayoutError without a note.
    """
    note = _required("note", note, longest=LONGEST_NOTE)
    payout = _lock(payout_id)
    payout.note = note
    _close(payout, PayoutStatus.REJECTED, now=now)
    books.book_rejected(payout, now=now)
    _record(payout, "payout.rejected", by=by, note=note)
    notices.tell_rejected(payout)
    return payout


def _lock(payout_id: int) -> Payout:
    owner_id = Payout.objects.filter(pk=payout_id).values_list("owner_id", flat=True).first()
    if owner_id is None:
        raise PayoutNotFoundError
    lock_referrer(owner_id=owner_id)
    return Payout.objects.select_for_update().get(pk=payout_id)


def _close(payout: Payout, status: PayoutStatus, *, now: datetime) -> None:
    payout.status = advance(PayoutStatus(payout.status), status)
    payout.closed_at = now
    payout.save(update_fields=["status", "closed_at", "reference", "note"])


@part_of_transaction
def _record(payout: Payout, verb: str, *, by: Actor, **detail: str) -> None:
    # Where the money goes is the person's own matter: it stays in the row and out of the trail.
    audit.record(
        actor=by,
        verb=verb,
        target=payout,
        owner_id=payout.owner_id,
        detail={
            "amount": money(payout.amount, payout.currency),
            "method": payout.method,
            **detail,
        },
    )
    logger.info(verb, extra={"payout_id": payout.pk})


def _checked(*, method: str, destination: str) -> str:
    """Return the destination as it is stored; raise InvalidPayoutError with every problem."""
    problems = []
    if method not in PayoutMethod.values:
        message = f"Use one of {', '.join(PayoutMethod.values)}."
        problems.append(FieldProblem("method", "invalid_choice", message))
    text = " ".join(destination.split())
    if not (_SHORTEST_DESTINATION <= len(text) <= LONGEST_DESTINATION and text.isprintable()):
        message = (
            f"Say where the money should go, in {_SHORTEST_DESTINATION} "
            f"to {LONGEST_DESTINATION} ordinary characters."
        )
        problems.append(FieldProblem("destination", "invalid", message))
    if problems:
        message = " ".join(problem.message for problem in problems)
        raise InvalidPayoutError(message, problems=problems)
    return text


def _required(field: str, value: str, *, longest: int) -> str:
    text = " ".join(value.split())
    if text and len(text) <= longest and text.isprintable():
        return text
    message = f"Write from 1 to {longest} ordinary characters."
    raise InvalidPayoutError(message, problems=[FieldProblem(field, "required", message)])
