"""What becomes of an order when Stripe was paid, was not, or says something else than we asked for."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from billing.domain.accounts import AccountCode
from billing.models import Grant, ProviderEvent, Subscription
from billing.providers.stripe import StripeProvider
from billing.selectors.entitlements import is_entitled
from billing.selectors.ledger import balance, violations
from tests.billing.provider_contract import make_order
from tests.billing.stripe_selling import (
    buy,
    look,
    new_order,
    process_all,
    send,
    tell_all,
)

pytestmark = pytest.mark.django_db

PRO = "plan:pro"


class TestPaid:
    def test_a_paid_session_settles_extends_and_balances(self, stripe):
        payment = buy(stripe, amount="100")

        subscription = Subscription.objects.get(owner=payment.owner)
        assert subscription.ends_at is not None
        assert subscription.ends_at > timezone.now() + timedelta(days=27)
        assert is_entitled(payment.owner_id, PRO, now=timezone.now())
        assert payment.fee == Decimal("3.20")
        assert balance(account=AccountCode.FEES, currency="USD") == Decimal("3.20")
        assert violations() == []
        assert [event.state for event in ProviderEvent.objects.all()] == ["DONE"]

    def test_repeats_and_any_order_have_one_effect(self, stripe):
        payment = new_order(amount="100")
        stripe.bank.is_fee_known = False
        stripe.bank.pay(payment.provider_reference)
        stripe.bank.know_fee(payment.provider_reference)
        for event in [*reversed(stripe.bank.events), *stripe.bank.events]:
            assert send(stripe, event).status_code == 200
        process_all()
        tell_all(stripe)

        payment.refresh_from_db()
        assert (payment.state, payment.fee) == ("SETTLED", Decimal("3.20"))
        assert Grant.objects.count() == 1
        assert ProviderEvent.objects.get(kind="charge.updated").deliveries == 3
        assert violations() == []

    def test_a_fee_that_is_known_later_is_booked_once(self, stripe):
        stripe.bank.is_fee_known = False
        payment = buy(stripe, amount="100")
        assert payment.fee == 0

        stripe.bank.know_fee(payment.provider_reference)
        tell_all(stripe)
        look(payment)

        assert payment.fee == Decimal("3.20")
        assert balance(account=AccountCode.FEES, currency="USD") == Decimal("3.20")
        assert violations() == []

    def test_a_fee_in_the_accounts_own_currency_is_counted_in_that_of_the_payment(self, stripe):
        stripe.bank.account_currency, stripe.bank.exchange_rate = "eur", 0.8

        # 80.00 EUR credited, of which 2.62 EUR are kept.
        assert buy(stripe, amount="100").fee == Decimal("3.28")

    def test_what_a_bank_confirms_later_is_pending_until_then(self, stripe):
        payment = new_order()
        stripe.bank.pay_later(payment.provider_reference)
        tell_all(stripe)
        payment.refresh_from_db()
        assert payment.state == "PENDING"

        stripe.bank.confirm(payment.provider_reference)
        tell_all(stripe)

        payment.refresh_from_db()
        assert payment.state == "SETTLED"

    def test_what_a_bank_refuses_later_has_failed(self, stripe):
        payment = new_order()
        stripe.bank.pay_later(payment.provider_reference)
        stripe.bank.decline(payment.provider_reference, "insufficient_funds")

        tell_all(stripe)

        payment.refresh_from_db()
        assert (payment.state, payment.state_reason) == ("FAILED", "insufficient_funds")
        assert not Grant.objects.exists()

    def test_a_session_that_ran_out_is_expired(self, stripe):
        payment = new_order()
        stripe.bank.expire(payment.provider_reference)

        tell_all(stripe)

        payment.refresh_from_db()
        assert payment.state == "EXPIRED"

    def test_a_lost_notice_is_made_up_for_by_asking(self, stripe):
        payment = new_order()
        stripe.bank.pay(payment.provider_reference)

        assert look(payment).state == "SETTLED"
        assert [event.state for event in tell_all(stripe)] == ["DONE"]
        assert Grant.objects.count() == 1

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"amount_total": 100}, "amount_mismatch"),
            ({"currency": "eur"}, "currency_mismatch"),
            ({"client_reference_id": "somebody-else"}, "customer_mismatch"),
            ({"client_reference_id": None}, "customer_mismatch"),
            ({"metadata": {}}, "order_mismatch"),
        ],
    )
    def test_what_differs_from_the_order_entitles_to_nothing(self, stripe, change, reason):
        payment = new_order()
        stripe.bank.sessions[payment.provider_reference] |= change
        stripe.bank.pay(payment.provider_reference)

        [event] = tell_all(stripe)

        payment.refresh_from_db()
        assert (event.state, event.reason) == ("FAILED", reason)
        assert payment.state == "PENDING"
        assert not Grant.objects.exists()

    def test_what_arrived_counts_not_what_was_asked_for(self, stripe):
        payment = new_order()
        stripe.bank.pay(payment.provider_reference)
        stripe.bank.intent_of(payment.provider_reference)["amount_received"] = 100

        [event] = tell_all(stripe)

        assert (event.state, event.reason) == ("FAILED", "amount_mismatch")

    @pytest.mark.parametrize("where", ["notice", "session"])
    def test_the_other_mode_is_ignored_and_told(self, stripe, where, caplog):
        payment = new_order()
        event = stripe.bank.pay(payment.provider_reference)
        if where == "notice":
            event["livemode"] = True
        else:
            stripe.bank.sessions[payment.provider_reference]["livemode"] = True

        [stored] = tell_all(stripe)

        payment.refresh_from_db()
        assert (stored.state, stored.reason) == ("IGNORED", "mode_mismatch")
        assert payment.state == "PENDING"
        assert "provider_event.refused" in caplog.text

    def test_a_session_of_somebody_else_is_unmatched(self, stripe):
        other = StripeProvider().create_checkout(make_order(customer=str(uuid4())))
        stripe.bank.pay(other.reference)

        assert [event.state for event in tell_all(stripe)] == ["UNMATCHED"]
