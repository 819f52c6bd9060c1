"""Disputes: what a payer's bank takes back, brings back or keeps, in the books and beyond."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.models import Mail, Notification
from billing.domain.accounts import AccountCode
from billing.models import Dispute, LedgerEntry, ProviderEvent, Refund
from billing.selectors.entitlements import is_entitled
from billing.selectors.ledger import balance, trial_balance, violations
from billing.services.refunds import NotRefundableError, RefundTooLargeError
from foundation import events
from foundation.models import AuditEntry, OutboxEvent
from referrals.models import Commission
from referrals.selectors import checks
from referrals.services import commissions, payouts
from tests.billing.buying import give_back, make_price, order
from tests.billing.stripe_selling import buy, look, process_all, send, tell_all
from tests.factories import referrals as referral_factory

pytestmark = pytest.mark.django_db

PRO = "plan:pro"
D = Decimal


def books() -> dict[str, Decimal]:
    """Return what the accounts that a dispute touches hold."""
    return {
        code.value: balance(account=code, currency="USD")
        for code in (
            AccountCode.PROCESSOR_CLEARING,
            AccountCode.DISPUTE_RESERVE,
            AccountCode.FEES,
            AccountCode.DEFERRED_REVENUE,
        )
    }


def assert_in_order() -> None:
    assert trial_balance().is_balanced
    assert violations() == []
    assert checks.violations() == []


class TestOpen:
    def test_what_the_bank_takes_waits_in_the_reserve(self, stripe, caplog):
        payment = buy(stripe, amount="100")
        dispute = stripe.bank.dispute(payment.provider_reference)

        tell_all(stripe)

        assert books() == {
            "processor_clearing": D("-18.20"),
            "dispute_reserve": D(100),
            "fees": D("18.20"),
            "deferred_revenue": D(100),
        }
        row = Dispute.objects.get()
        assert (row.state, row.amount, row.fee) == ("OPEN", D(100), D(15))
        assert row.provider_reference == dispute["id"]
        assert "dispute.opened" in caplog.text
        assert AuditEntry.objects.filter(verb="dispute.opened").count() == 1
        # Until it is decided the person keeps what was bought.
        assert is_entitled(payment.owner_id, PRO, now=timezone.now())
        assert_in_order()

    def test_told_again_and_asked_again_it_is_booked_once(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.bank.dispute(payment.provider_reference)
        tell_all(stripe)
        before = LedgerEntry.objects.count()

        tell_all(stripe)
        look(payment)

        assert LedgerEntry.objects.count() == before
        assert Dispute.objects.count() == 1

    def test_an_inquiry_takes_nothing(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.bank.dispute(payment.provider_reference, is_inquiry=True)

        tell_all(stripe)

        assert not Dispute.objects.exists()
        assert {event.state for event in ProviderEvent.objects.all()} == {"DONE"}
        assert_in_order()

    def test_a_lost_notice_of_it_is_made_up_for_by_asking(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.bank.dispute(payment.provider_reference)

        look(payment)

        assert Dispute.objects.get().state == "OPEN"

    def test_what_the_bank_holds_cannot_be_given_back(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.bank.dispute(payment.provider_reference, 7_000)
        tell_all(stripe)

        with pytest.raises(RefundTooLargeError):
            give_back(payment, "30.01", now=timezone.now())
        assert give_back(payment, "30", now=timezone.now()).state == "SUCCEEDED"
        with pytest.raises(NotRefundableError):
            give_back(payment, now=timezone.now())
        assert_in_order()


class TestDecided:
    def test_one_that_is_won_brings_the_money_back_but_not_the_fee(self, stripe):
        payment = buy(stripe, amount="100")
        dispute = stripe.bank.dispute(payment.provider_reference)
        tell_all(stripe)
        stripe.bank.decide(dispute["id"], "won")

        tell_all(stripe)

        assert books() == {
            "processor_clearing": D("81.80"),
            "dispute_reserve": D(0),
            "fees": D("18.20"),
            "deferred_revenue": D(100),
        }
        payment.refresh_from_db()
        assert (Dispute.objects.get().state, payment.state) == ("WON", "SETTLED")
        assert_in_order()

    def test_one_that_is_lost_is_a_refund_by_the_bank(self, stripe):
        payment = buy(stripe, amount="100")
        dispute = stripe.bank.dispute(payment.provider_reference)
        tell_all(stripe)
        stripe.bank.decide(dispute["id"], "lost")

        tell_all(stripe)
        tell_all(stripe)

        assert books() == {
            "processor_clearing": D("-18.20"),
            "dispute_reserve": D(0),
            "fees": D("18.20"),
            "deferred_revenue": D(0),
        }
        payment.refresh_from_db()
        row = Dispute.objects.get()
        assert (row.state, payment.state) == ("LOST", "REFUNDED")
        assert row.refund == Refund.objects.get()
        assert not is_entitled(payment.owner_id, PRO, now=timezone.now())
        assert Notification.objects.filter(title__startswith="Your bank has taken back").exists()
        assert not Mail.objects.filter(kind="refund_sent").exists()
        assert_in_order()

    def test_a_part_that_is_lost_leaves_the_time(self, stripe):
        payment = buy(stripe, amount="100")
        dispute = stripe.bank.dispute(payment.provider_reference, 4_000)
        stripe.bank.decide(dispute["id"], "lost")

        tell_all(stripe)

        payment.refresh_from_db()
        assert (payment.state, payment.refunded_amount) == ("PARTLY_REFUNDED", D(40))
        assert is_entitled(payment.owner_id, PRO, now=timezone.now())
        assert_in_order()

    def test_notices_in_reverse_have_the_same_end(self, stripe):
        payment = buy(stripe, amount="100")
        dispute = stripe.bank.dispute(payment.provider_reference)
        stripe.bank.decide(dispute["id"], "lost")
        for event in reversed(stripe.bank.events):
            assert send(stripe, event).status_code == 200
        process_all()

        assert Dispute.objects.get().state == "LOST"
        assert_in_order()

    def test_more_than_was_left_stays_open_for_a_person(self, stripe, caplog):
        payment = buy(stripe, amount="100")
        dispute = stripe.bank.dispute(payment.provider_reference)
        give_back_at_stripe(stripe, payment, 5_000)
        tell_all(stripe)
        stripe.bank.decide(dispute["id"], "lost")

        tell_all(stripe)

        assert Dispute.objects.get().state == "OPEN"
        assert "refund.exceeds_payment" in caplog.text
        assert_in_order()


def give_back_at_stripe(stripe, payment, units: int) -> None:
    """Let an operator give money back on Stripe's own pages."""
    stripe.bank.give_back(stripe.bank.intent_of(payment.provider_reference)["id"], units)


def test_a_commission_that_was_paid_out_is_taken_back_below_zero(stripe):
    referrer = referral_factory.make_referrer()
    friend = referral_factory.bring(referrer)
    now = timezone.now()
    payment = order(friend, make_price(amount="900"), now=now)
    stripe.bank.pay(payment.provider_reference)
    tell_all(stripe)
    deliver_payments(now=now)
    later = now + timedelta(days=31)
    commissions.mature_due(now=later)
    payout = referral_factory.ask(referrer, now=later)
    payouts.send_payout(
        payout_id=payout.pk, reference="TR-1", by=referral_factory.OPERATOR, now=later
    )
    dispute = stripe.bank.dispute(payment.provider_reference)
    stripe.bank.decide(dispute["id"], "lost")

    tell_all(stripe)
    deliver_payments(now=later)

    assert Commission.objects.get().status == "REVERSED"
    payable = balance(account=AccountCode.COMMISSION_PAYABLE, currency="USD", owner_id=referrer.pk)
    assert payable == -payout.amount
    assert_in_order()


def deliver_payments(*, now) -> None:
    """Deliver what billing has told of payments."""
    for event in OutboxEvent.objects.filter(name__startswith="billing.payment"):
        events.deliver(event_id=event.pk, now=now)
