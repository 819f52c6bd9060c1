"""Whatever happens in whatever order, nothing is earned twice and nothing is paid out that is not there."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from billing.domain.accounts import AccountCode
from billing.selectors import ledger
from billing.services import ledger_checks
from foundation import events, site_settings
from foundation.audit import Actor
from foundation.models import EventReceipt, OutboxEvent
from market.errors import PlatformError
from referrals.models import Commission, Payout
from referrals.selectors import checks
from referrals.selectors.earnings import balances_of
from referrals.services import commissions, payouts
from tests.factories import referrals as factory
from tests.factories.accounts import make_person

D = Decimal
_numbers = count(1)


@dataclass
class Paid:
    """A payment as the payer knows it."""

    number: int
    payer: User
    amount: Decimal
    net: Decimal
    refunded: Decimal = Decimal()


class Books(RuleBasedStateMachine):
    """One referrer, some people whom they brought and one whom they did not."""

    paid = Bundle("paid")

    def __init__(self) -> None:
        super().__init__()
        tag = next(_numbers)
        self.now = factory.PAID_AT
        self.referrer = factory.make_referrer(f"referrer-{tag}@example.com")
        self.payers = [factory.bring(self.referrer) for _ in range(2)]
        self.payers.append(make_person(f"stranger-{tag}@example.com"))
        self.payments: list[Paid] = []
        self.sent = D(0)

    @rule(
        target=paid,
        payer=st.integers(0, 2),
        cents=st.integers(1, 500_00),
        fee=st.integers(0, 600),
        times=st.integers(1, 2),
    )
    def pay(self, payer: int, cents: int, fee: int, times: int) -> Paid:
        """A payment is settled, and told once or twice."""
        amount = D(cents) / 100
        net = amount - min(D(fee) / 100, amount)
        one = Paid(next(_numbers) + 10_000, self.payers[payer], amount, net)
        self.payments.append(one)
        event = factory.tell_settled(one.payer, str(net), payment_id=one.number, at=self.now)
        for _ in range(times):
            self.deliver(event.pk)
        return one

    @rule(one=paid, share=st.integers(1, 100), times=st.integers(1, 2))
    def refund(self, one: Paid, share: int, times: int) -> None:
        """A part of what is left of a payment goes back, and is told once or twice."""
        left = one.amount - one.refunded
        back = max((left * share / 100).quantize(D("0.01")), D("0.01"))
        if back > left:
            return
        one.refunded += back
        event = factory.tell_refunded(
            one.payer,
            str(back),
            payment_id=one.number,
            refund_id=next(_numbers) + 10_000,
            total=str(one.refunded),
            at=self.now,
        )
        for _ in range(times):
            self.deliver(event.pk)

    @rule(days=st.integers(1, 40))
    def wait(self, days: int) -> None:
        """Time passes, and the sweep comes by."""
        self.now += timedelta(days=days)
        commissions.mature_due(now=self.now)

    @rule()
    def ask(self) -> None:
        """The referrer asks for a payout, which may be refused."""
        payable = self.booked(AccountCode.COMMISSION_PAYABLE)
        try:
            payout = factory.ask(self.referrer, now=self.now)
        except PlatformError:
            return
        assert D(20) <= payout.amount == payable

    @rule(is_sent=st.booleans())
    def decide(self, is_sent: bool) -> None:
        """The operator decides what is open."""
        payout = Payout.objects.filter(owner=self.referrer, status="REQUESTED").first()
        if payout is None:
            return
        by, now = factory.OPERATOR, self.now
        if is_sent:
            payouts.send_payout(payout_id=payout.pk, reference="TR", by=by, now=now)
            self.sent += payout.amount
        else:
            payouts.reject_payout(payout_id=payout.pk, note="No", by=by, now=now)

    @invariant()
    def the_books_balance(self) -> None:
        """Every entry is complete and the sums are zero: what the database checks at a commit."""
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        assert ledger.trial_balance().is_balanced

    @invariant()
    def no_commission_is_above_the_rate_of_what_was_kept(self) -> None:
        """Also after refunds, rounding and repeats."""
        earned = {
            row.payment_id: row.amount - row.taken_back
            for row in Commission.objects.filter(owner=self.referrer)
        }
        for one in self.payments:
            kept = max(one.net - one.refunded, D(0))
            coins = (kept / 10).quantize(D("0.01"), rounding="ROUND_DOWN")
            expected = coins if one.payer != self.payers[2] else D(0)
            assert earned.get(one.number, D(0)) == expected

    @invariant()
    def the_books_and_the_rows_agree(self) -> None:
        """Earned is pending, payable, asked for or paid out; and no more left than was ever earned."""
        rows = Commission.objects.filter(owner=self.referrer)
        left = sum((row.amount - row.taken_back for row in rows), D(0))
        ever = sum((row.amount for row in rows), D(0))
        pending = sum(
            (row.amount - row.taken_back for row in rows if row.status == "PENDING"), D(0)
        )
        assert self.booked(AccountCode.COMMISSION_PENDING) == pending
        for balance in balances_of(self.referrer):
            assert (balance.earned, balance.paid) == (left, self.sent)
        assert self.sent <= ever
        assert checks.violations() == []

    def booked(self, account: AccountCode) -> Decimal:
        return ledger.balance(account=account, currency="USD", owner_id=self.referrer.pk)

    def deliver(self, event_id: int) -> None:
        # A second delivery after the first was confirmed does nothing; this one forgets the receipt.
        OutboxEvent.objects.filter(pk=event_id).update(delivered_at=None)
        EventReceipt.objects.filter(event_id=event_id).delete()
        events.deliver(event_id=event_id, now=self.now)


@pytest.mark.django_db
def test_the_books_hold_in_any_order_of_events():
    site_settings.change_settings(
        replace(site_settings.current(), referral_payments="ALL"), by=Actor.system("test")
    )

    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=10,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_the_nightly_comparison_finds_a_commission_that_is_not_in_the_books():
    commission = factory.earn(factory.make_referrer(), "500")
    assert ledger_checks.verify(now=factory.PAYABLE_AT) == []
    Commission.objects.filter(pk=commission.pk).update(taken_back=D(10))

    found = ledger_checks.verify(now=factory.PAYABLE_AT)

    assert found == [
        "commission_expense holds 50 USD, commissions and payouts say 40.",
        "commission_payable holds 50 USD, commissions and payouts say 40.",
    ]
