"""What every payment provider has to do, whoever it is: one set of tests for all of them."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from billing.providers.protocol import (
    CheckoutOrder,
    PayloadInvalidError,
    PaymentProvider,
    ProviderNotConfiguredError,
    ProviderRejectedError,
    ProviderStatus,
    SignatureInvalidError,
    UnknownReferenceError,
)

CURRENT, PREVIOUS = "whsec_" + "c" * 32, "whsec_" + "p" * 32


def make_order(**changes: Any) -> CheckoutOrder:
    """Return an order of 29 dollars."""
    payment_id = uuid4()
    asked = CheckoutOrder(
        payment_id=payment_id,
        customer=str(uuid4()),
        email="ada@example.com",
        amount=Decimal("29.00"),
        currency="USD",
        description="Pro, one month",
        idempotency_key=f"checkout-{payment_id}",
        return_url=f"https://example.org/billing/payments/{payment_id}/",
        cancel_url=f"https://example.org/billing/payments/{payment_id}/?canceled=1",
    )
    return replace(asked, **changes)


class ProviderContract(ABC):
    """The tests; a subclass says how its provider is reached and how people act at it."""

    provider: PaymentProvider
    #: A reference of the right shape that nobody has.
    unknown_reference: str
    #: A kind of notice about a payment.
    known_kind: str

    @abstractmethod
    def use_secrets(self, settings: Any, current: str, previous: str) -> None:
        """Make these two the active secrets."""

    @abstractmethod
    def pay(self, reference: str) -> None:
        """Pay, as a person does."""

    @abstractmethod
    def pay_later(self, reference: str) -> None:
        """Pay in a way that is confirmed later."""

    @abstractmethod
    def fail(self, reference: str) -> None:
        """Let a payment fail for good."""

    @abstractmethod
    def expire(self, reference: str) -> None:
        """Let a checkout run out."""

    @abstractmethod
    def count_checkouts(self) -> int:
        """Return how many checkouts there are at the provider."""

    @abstractmethod
    def notice(self, *, reference: str, kind: str, at: datetime) -> bytes:
        """Return the body of a notice."""

    @abstractmethod
    def proof(self, body: bytes, *, secret: str, at: datetime) -> Mapping[str, str]:
        """Return the headers that prove a body."""

    @pytest.fixture
    def installation(self) -> str:
        """Prepare what has to be there first; a subclass may have its own way."""
        return "as it is"

    @pytest.fixture(autouse=True)
    def _secrets(self, installation: object, settings: Any) -> None:
        self.use_secrets(settings, CURRENT, PREVIOUS)

    def _refund(self, reference: str, amount: str, refund_id: Any = None) -> Any:
        refund_id = refund_id or uuid4()
        return self.provider.refund(
            reference,
            amount=Decimal(amount),
            refund_id=refund_id,
            idempotency_key=f"refund-{refund_id}",
        )

    def test_the_same_key_opens_one_checkout(self) -> None:
        order = make_order()

        first, second = self.provider.create_checkout(order), self.provider.create_checkout(order)

        assert first.reference == second.reference
        assert first.url == second.url
        assert self.count_checkouts() == 1

    def test_a_new_checkout_is_pending_and_says_what_it_is_about(self) -> None:
        order = make_order()

        state = self.provider.fetch(self.provider.create_checkout(order).reference)

        assert state.status == ProviderStatus.PENDING
        assert (state.amount, state.currency) == (Decimal(29), "USD")
        assert state.is_live is self.provider.is_live
        assert state.customer == order.customer
        assert state.metadata["payment"] == str(order.payment_id)
        assert (state.fee, state.paid_at, list(state.refunds)) == (Decimal(0), None, [])

    def test_what_was_paid_is_paid_and_has_cost_something(self) -> None:
        reference = self.provider.create_checkout(make_order()).reference
        self.pay(reference)

        state = self.provider.fetch(reference)

        assert state.reference == reference
        assert (state.status, state.amount) == (ProviderStatus.PAID, Decimal(29))
        assert Decimal(0) < state.fee < state.amount
        assert state.paid_at is not None
        assert state.paid_at.tzinfo is not None

    def test_a_currency_without_cents_is_counted_in_whole_ones(self) -> None:
        order = make_order(amount=Decimal(2_900), currency="JPY")
        reference = self.provider.create_checkout(order).reference
        self.pay(reference)

        state = self.provider.fetch(reference)

        assert (state.amount, state.currency) == (Decimal(2_900), "JPY")

    def test_what_is_confirmed_later_is_pending_until_then(self) -> None:
        reference = self.provider.create_checkout(make_order()).reference
        self.pay_later(reference)

        assert self.provider.fetch(reference).status == ProviderStatus.PENDING

    def test_a_failure_has_a_reason(self) -> None:
        reference = self.provider.create_checkout(make_order()).reference
        self.fail(reference)

        state = self.provider.fetch(reference)

        assert state.status == ProviderStatus.FAILED
        assert state.failure

    def test_a_checkout_runs_out(self) -> None:
        reference = self.provider.create_checkout(make_order()).reference
        self.expire(reference)

        assert self.provider.fetch(reference).status == ProviderStatus.EXPIRED

    def test_an_unknown_reference_is_named_so(self) -> None:
        for reference in (self.unknown_reference, "", "nonsense", "../../v1/balance"):
            with pytest.raises(UnknownReferenceError):
                self.provider.fetch(reference)

    def test_money_is_given_back_once_for_a_key(self) -> None:
        reference = self.provider.create_checkout(make_order()).reference
        self.pay(reference)
        refund_id = uuid4()

        first = self._refund(reference, "10", refund_id)
        second = self._refund(reference, "10", refund_id)

        assert first == second
        assert first.amount == Decimal(10)
        [known] = self.provider.fetch(reference).refunds
        assert known.reference == first.reference
        assert known.metadata["refund"] == str(refund_id)

    def test_no_more_is_given_back_than_was_paid(self) -> None:
        reference = self.provider.create_checkout(make_order()).reference
        with pytest.raises(ProviderRejectedError):
            self._refund(reference, "10")
        self.pay(reference)
        self._refund(reference, "20")

        with pytest.raises(ProviderRejectedError):
            self._refund(reference, "9.01")

        self._refund(reference, "9")
        refunds = self.provider.fetch(reference).refunds
        assert [refund.amount for refund in refunds] == [Decimal(20), Decimal(9)]

    def test_nothing_is_asked_inside_a_transaction(self) -> None:
        calls = (
            lambda: self.provider.create_checkout(make_order()),
            lambda: self.provider.fetch(self.unknown_reference),
            lambda: self._refund(self.unknown_reference, "1"),
        )
        for call in calls:
            with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
                call()

    @pytest.mark.parametrize(("secret", "slot"), [(CURRENT, "current"), (PREVIOUS, "previous")])
    def test_a_notice_is_proven_by_either_secret_and_leads_to_the_payment(
        self, secret: str, slot: str
    ) -> None:
        reference = self.provider.create_checkout(make_order()).reference
        self.pay(reference)
        now = timezone.now().replace(microsecond=0)
        body = self.notice(reference=reference, kind=self.known_kind, at=now)

        event = self.provider.verify(self.proof(body, secret=secret, at=now), body, now=now)

        assert (event.kind, event.occurred_at) == (self.known_kind, now)
        assert (event.is_known, event.is_live, event.proven_with) == (True, False, slot)
        assert self.provider.fetch(event.reference).reference == reference

    def test_a_notice_of_another_kind_is_proven_and_not_known(self) -> None:
        now = timezone.now()
        body = self.notice(reference=self.unknown_reference, kind="tax.settings.updated", at=now)

        event = self.provider.verify(self.proof(body, secret=CURRENT, at=now), body, now=now)

        assert not event.is_known

    @pytest.mark.parametrize("age_s", [-301, 301, 86_400])
    def test_a_proof_of_another_time_proves_nothing(self, age_s: int) -> None:
        now = timezone.now().replace(microsecond=0)
        body = self.notice(reference=self.unknown_reference, kind=self.known_kind, at=now)
        headers = self.proof(body, secret=CURRENT, at=now - timedelta(seconds=age_s))

        with pytest.raises(SignatureInvalidError):
            self.provider.verify(headers, body, now=now)

    def test_what_was_forged_or_changed_is_not_proven(self) -> None:
        now = timezone.now()
        body = self.notice(reference=self.unknown_reference, kind=self.known_kind, at=now)
        good = self.proof(body, secret=CURRENT, at=now)
        forged = [
            (self.proof(body, secret="whsec_" + "x" * 32, at=now), body),
            (self.proof(body, secret="", at=now), body),
            (good, body + b" "),
            (good, body.replace(b"false", b"true")),
            (dict.fromkeys(good, ""), body),
            ({name: value.replace("v1=", "v0=") for name, value in good.items()}, body),
            ({name: value.replace("v1=", "v1=0") for name, value in good.items()}, body),
            ({}, body),
        ]
        for headers, sent in forged:
            with pytest.raises(SignatureInvalidError):
                self.provider.verify(headers, sent, now=now)

    @pytest.mark.parametrize(
        "body", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"id": "evt_1"}']
    )
    def test_a_proven_body_that_cannot_be_read_is_named_so(self, body: bytes) -> None:
        now = timezone.now()

        with pytest.raises(PayloadInvalidError):
            self.provider.verify(self.proof(body, secret=CURRENT, at=now), body, now=now)

    def test_a_notice_with_wrong_types_cannot_be_read(self) -> None:
        now = timezone.now()
        good = json.loads(
            self.notice(reference=self.unknown_reference, kind=self.known_kind, at=now)
        )
        for name in ("id", "type", "livemode", "created"):
            body = json.dumps(good | {name: {"not": "this"}}).encode()
            with pytest.raises(PayloadInvalidError):
                self.provider.verify(self.proof(body, secret=CURRENT, at=now), body, now=now)

    def test_without_a_secret_nothing_is_proven(self, settings: Any) -> None:
        self.use_secrets(settings, "", "")
        now = timezone.now()
        body = self.notice(reference=self.unknown_reference, kind=self.known_kind, at=now)

        with pytest.raises(ProviderNotConfiguredError):
            self.provider.verify(self.proof(body, secret="", at=now), body, now=now)
