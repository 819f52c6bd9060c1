"""Giving money back through Stripe: once, whatever happens on the way."""

from decimal import Decimal

import pytest
from django.utils import timezone

from billing.domain.accounts import AccountCode
from billing.models import Refund
from billing.providers.stripe import StripeProvider
from billing.selectors.entitlements import is_entitled
from billing.selectors.ledger import balance, violations
from tests.billing.buying import give_back
from tests.billing.stripe_selling import (
    buy,
    retry_refund,
    tell_all,
)

pytestmark = pytest.mark.django_db

PRO = "plan:pro"


class TestRefund:
    def test_it_is_sent_booked_and_told(self, stripe):
        payment = buy(stripe, amount="100")

        refund = give_back(payment, now=timezone.now())
        tell_all(stripe)

        payment.refresh_from_db()
        assert (refund.state, payment.state) == ("SUCCEEDED", "REFUNDED")
        assert not is_entitled(payment.owner_id, PRO, now=timezone.now())
        assert Refund.objects.count() == 1
        assert balance(account=AccountCode.DEFERRED_REVENUE, currency="USD") == 0
        assert violations() == []

    def test_a_lost_answer_is_one_refund(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.trouble.lost_answers = 1
        refund = give_back(payment, "40", now=timezone.now())
        assert refund.state == "REQUESTED"

        assert retry_refund(refund).state == "SUCCEEDED"
        assert len(stripe.bank.refunds) == 1

    def test_also_after_stripe_has_forgotten_the_key(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.trouble.lost_answers = 1
        refund = give_back(payment, "40", now=timezone.now())
        stripe.forget_keys()

        assert retry_refund(refund).state == "SUCCEEDED"
        assert len(stripe.bank.refunds) == 1

    def test_an_error_of_stripe_is_asked_again_until_it_is_over(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.trouble.answers = [(500, {"error": {"type": "api_error"}})]
        refund = give_back(payment, "40", now=timezone.now())
        # Stripe remembers errors as well, for as long as the key.
        assert retry_refund(refund).state == "REQUESTED"
        stripe.forget_keys()

        assert retry_refund(refund).state == "SUCCEEDED"
        assert len(stripe.bank.refunds) == 1

    def test_one_that_a_bank_works_on_waits(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.bank.refunds_begin_as = "pending"
        refund = give_back(payment, "40", now=timezone.now())
        assert (refund.state, retry_refund(refund).state) == ("REQUESTED", "REQUESTED")
        assert payment.refunded_amount == 0

        stripe.bank.finish_refund(*stripe.bank.refunds)
        tell_all(stripe)

        refund.refresh_from_db()
        payment.refresh_from_db()
        assert (refund.state, payment.refunded_amount) == ("SUCCEEDED", Decimal(40))
        assert len(stripe.bank.refunds) == 1
        assert violations() == []

    def test_one_that_a_bank_refuses_frees_what_was_reserved(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.bank.refunds_begin_as = "pending"
        refund = give_back(payment, "40", now=timezone.now())
        stripe.bank.finish_refund(*stripe.bank.refunds, status="failed")

        assert retry_refund(refund).state == "FAILED"
        stripe.bank.refunds_begin_as = "succeeded"
        assert give_back(payment, "100", now=timezone.now()).state == "SUCCEEDED"

    def test_one_made_on_stripes_own_pages_is_booked(self, stripe):
        payment = buy(stripe, amount="100")
        intent = stripe.bank.intent_of(payment.provider_reference)
        stripe.bank.give_back(intent["id"], 2_500)

        tell_all(stripe)

        payment.refresh_from_db()
        assert (payment.state, payment.refunded_amount) == ("PARTLY_REFUNDED", Decimal(25))
        assert Refund.objects.get().note == "Made at the provider."
        assert violations() == []

    def test_what_was_already_given_back_there_is_refused(self, stripe):
        payment = buy(stripe, amount="100")
        stripe.bank.give_back(stripe.bank.intent_of(payment.provider_reference)["id"])

        refund = give_back(payment, "10", now=timezone.now())

        assert (refund.state, refund.state_reason) == ("FAILED", "provider_rejected")

    def test_many_refunds_are_all_known(self, stripe):
        payment = buy(stripe, amount="100")
        intent = stripe.bank.intent_of(payment.provider_reference)
        for _ in range(103):
            stripe.bank.give_back(intent["id"], 10)

        state = StripeProvider().fetch(payment.provider_reference)

        assert len({refund.reference for refund in state.refunds}) == 103
