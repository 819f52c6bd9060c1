"""All the money at once: orders, notices, refunds, revenue, commissions and payouts in any order.

Payments go through the bank for development and its notices, commissions through the events that the
payments publish; only the clock and the order of things are made up.
"""

import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from accounts.models import User
from billing.domain.accounts import AccountCode
from billing.models import (
    DevelopmentNotice,
    Grant,
    LedgerPosting,
    Payment,
    Price,
    ProviderEvent,
    Refund,
    Subscription,
)
from billing.selectors.ledger import balance, trial_balance, violations
from billing.selectors.payments import find_own_price
from billing.services import development, provider_events, recognition
from foundation import events, site_settings
from foundation.audit import Actor
from foundation.models import OutboxEvent
from market.errors import PlatformError
from referrals.models import Commission, Payout
from referrals.selectors import checks
from referrals.services import commissions, payouts
from tests.billing.buying import NOW, charge_of, give_back, make_price, order
from tests.factories import referrals as referral_factory
from tests.factories.accounts import make_person

D = Decimal
CURRENCIES = ("USD", "EUR")
SMALLEST_PAYOUT = D(20)
_numbers = count(1)


class Money(RuleBasedStateMachine):
    """A referrer, somebody whom they brought, and somebody whom they did not."""

    def __init__(self) -> None:
        super().__init__()
        tag = next(_numbers)
        self.now = NOW
        self.referrer = referral_factory.make_referrer(f"referrer-{tag}@example.com")
        self.buyers = [
            referral_factory.bring(self.referrer),
            make_person(f"stranger-{tag}@example.com"),
        ]
        self.payments: list[Payment] = []
        #: What the referrer was paid, and what an operator still has to decide, by currency.
        self.sent: dict[str, Decimal] = dict.fromkeys(CURRENCIES, D(0))
        self.waiting: dict[str, Payout] = {}

    @rule(
        buyer=st.integers(0, 1),
        amount=st.sampled_from(["0.31", "29", "290.05", "999.99"]),
        currency=st.sampled_from(CURRENCIES),
    )
    def buy(self, buyer: int, amount: str, currency: str) -> None:
        """Somebody orders and pays at the bank; nobody has told us yet."""
        payment = self._order(self.buyers[buyer], make_price(amount=amount, currency=currency))
        development.pay(reference=charge_of(payment).reference, now=self.now)
        self.payments.append(payment)

    @rule(number=st.integers(0, 9))
    def forget(self, number: int) -> None:
        """Somebody orders, and declines."""
        payment = self._order(self.buyers[number % 2], make_price())
        development.decline(reference=charge_of(payment).reference, now=self.now)

    @rule(is_backwards=st.booleans(), times=st.integers(1, 2))
    def deliver_notices(self, is_backwards: bool, times: int) -> None:
        """The bank's notices arrive and are dealt with, in one order or the other, once or twice."""
        for notice in DevelopmentNotice.objects.filter(delivered_at=None):
            development.deliver(notice_id=notice.pk, now=self.now)
        for _ in range(times):
            # Those that are dealt with come again as well; a few of them say it all.
            newest = ProviderEvent.objects.order_by("-pk")[:6]
            for event in newest if is_backwards else reversed(newest):
                provider_events.process(event_id=event.pk, now=self.now)

    @rule(share=st.integers(1, 100), which=st.integers(0, 50))
    def refund(self, share: int, which: int) -> None:
        """An operator gives a part back."""
        payment = self._one(which)
        if payment is None:
            return
        part = max((payment.amount * share / 100).quantize(D("0.01")), D("0.01"))
        try:
            give_back(payment, str(part), now=self.now)
        except PlatformError:
            return

    @rule(which=st.integers(0, 50))
    def refund_at_the_bank(self, which: int) -> None:
        """Somebody gives all back on the bank's own page; we learn of it by a notice."""
        payment = self._one(which)
        if payment is None:
            return
        try:
            development.refund(reference=charge_of(payment).reference, now=self.now)
        except PlatformError:
            return

    @rule(days=st.integers(1, 40))
    def wait(self, days: int) -> None:
        """Time passes, and the nightly work is done."""
        self.now += timedelta(days=days)
        recognition.recognize_due(now=self.now)
        commissions.mature_due(now=self.now)

    @rule()
    def deliver_events(self) -> None:
        """What the payments have published arrives at the referrals."""
        for event in OutboxEvent.objects.filter(
            name__startswith="billing.payment", delivered_at=None
        ):
            events.deliver(event_id=event.pk, now=self.now)

    @rule(currency=st.sampled_from(CURRENCIES))
    def ask_for_payout(self, currency: str) -> None:
        """The referrer asks for all that is payable; never for more, and never twice at once."""
        payable = self._payable(currency)
        try:
            payout = referral_factory.ask(self.referrer, currency=currency, now=self.now)
        except PlatformError:
            assert currency in self.waiting or payable < SMALLEST_PAYOUT
            return
        assert payout.amount == payable >= SMALLEST_PAYOUT
        assert currency not in self.waiting
        assert self._payable(currency) == 0
        self.waiting[currency] = payout

    @rule(currency=st.sampled_from(CURRENCIES), is_sent=st.booleans())
    def decide_payout(self, currency: str, is_sent: bool) -> None:
        """An operator sends or rejects what was asked for, whatever was given back meanwhile."""
        payout = self.waiting.pop(currency, None)
        if payout is None:
            return
        by, now = referral_factory.OPERATOR, self.now
        if is_sent:
            payouts.send_payout(payout_id=payout.pk, reference="TR", by=by, now=now)
            self.sent[currency] += payout.amount
        else:
            payouts.reject_payout(payout_id=payout.pk, note="No", by=by, now=now)

    @invariant()
    def the_books_balance_and_agree_with_the_rows(self) -> None:
        """Per currency, entry by entry, and with payments, commissions and payouts."""
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        assert trial_balance().is_balanced
        assert violations() == []
        assert checks.violations() == []

    @invariant()
    def each_payment_has_one_effect(self) -> None:
        """One grant for each paid payment, and never more given back than was paid."""
        paid = Payment.objects.filter(settled_at__isnull=False, owner__in=self.buyers)
        assert Grant.objects.filter(owner__in=self.buyers).count() == paid.count()
        for payment in paid:
            given = sum(
                (each.amount for each in Refund.objects.filter(payment=payment, state="SUCCEEDED")),
                D(0),
            )
            assert given == payment.refunded_amount <= payment.amount
            assert payment.deferred_amount <= payment.amount - payment.refunded_amount
        held = Subscription.objects.filter(owner__in=self.buyers)
        assert held.count() <= len(self.buyers)

    @invariant()
    def no_commission_exceeds_its_share_of_what_was_kept(self) -> None:
        """The rate of what came in less the fee, and less what went back as far as that was heard of."""
        unheard = OutboxEvent.objects.filter(
            name__startswith="billing.payment", delivered_at=None
        ).exists()
        for row in Commission.objects.filter(owner=self.referrer):
            payment = Payment.objects.get(pk=row.payment_id)
            net = payment.amount - payment.fee
            assert row.amount <= row.rate * net
            left = row.amount - row.taken_back
            assert D(0) <= left
            if not unheard:
                assert left <= row.rate * max(net - payment.refunded_amount, D(0))

    @invariant()
    def no_payout_exceeds_what_was_payable(self) -> None:
        """What was sent and what waits is no more than what ever became payable in its currency."""
        for currency in CURRENCIES:
            mine = Payout.objects.filter(owner=self.referrer, currency=currency)
            sent = sum((each.amount for each in mine.filter(status="SENT")), D(0))
            open_ones = list(mine.filter(status="REQUESTED"))
            assert sent == self.sent[currency]
            assert [each.pk for each in open_ones] == [
                each.pk for code, each in self.waiting.items() if code == currency
            ]
            matured = self._ever_payable(currency)
            assert sent + sum((each.amount for each in open_ones), D(0)) <= matured

    def _ever_payable(self, currency: str) -> Decimal:
        """Return all that has ever become payable to the referrer, before refunds took any of it back."""
        booked = LedgerPosting.objects.filter(
            account__owner=self.referrer,
            account__code=AccountCode.COMMISSION_PAYABLE,
            currency=currency,
            entry__kind="commission_payable",
        )
        return -sum((posting.amount for posting in booked), D(0))

    def _order(self, person: User, price: Price) -> Payment:
        """Order at a price, or at the one that the person has kept instead."""
        own = find_own_price(person.pk, public_id=price.public_id, now=self.now)
        assert own is not None
        return order(person, own, now=self.now)

    def _one(self, which: int) -> Payment | None:
        if not self.payments:
            return None
        payment = self.payments[which % len(self.payments)]
        payment.refresh_from_db()
        return payment

    def _payable(self, currency: str) -> Decimal:
        return balance(
            account=AccountCode.COMMISSION_PAYABLE, currency=currency, owner_id=self.referrer.pk
        )


@pytest.mark.timeout(400)
@pytest.mark.django_db
def test_the_money_is_right_in_any_order_of_things():
    site_settings.change_settings(
        replace(site_settings.current(), referral_payments="ALL"), by=Actor.system("test")
    )

    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=int(os.environ.get("MONEY_EXAMPLES", "6")),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
