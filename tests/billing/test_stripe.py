"""Ordering through Stripe: what it is asked for, and what its answers mean."""

import logging
import subprocess
import sys
from decimal import Decimal

import pytest
from django.test import Client

from billing.providers import stripe_client
from billing.providers.protocol import (
    ProviderNotConfiguredError,
    ProviderRejectedError,
    ProviderUnavailableError,
    UnknownReferenceError,
)
from billing.providers.registry import find_provider, find_selling_provider
from billing.providers.stripe import StripeProvider
from tests.billing.provider_contract import make_order
from tests.billing.stripe_selling import (
    URL,
    new_order,
    retry_order,
    tell_all,
)

pytestmark = pytest.mark.django_db

SESSIONS = "/v1/checkout/sessions"


class TestOrder:
    def test_what_stripe_is_asked_for_is_all_ours(self, stripe, settings):
        payment = new_order(amount="29")

        [asked] = stripe.calls_of("POST", SESSIONS)

        page = f"{settings.SITE_URL}/billing/payments/{payment.public_id}/"
        metadata = {
            "payment": str(payment.public_id),
            "customer": str(payment.owner.public_id),
        }
        assert asked["line_items"] == {
            "0": {
                "quantity": "1",
                "price_data": {
                    "currency": "usd",
                    "unit_amount": "2900",
                    "product_data": {"name": "Pro, one month"},
                },
            }
        }
        assert asked["metadata"] == asked["payment_intent_data"]["metadata"] == metadata
        assert asked["client_reference_id"] == str(payment.owner.public_id)
        assert (asked["success_url"], asked["cancel_url"]) == (page, f"{page}?canceled=1")
        assert asked["adaptive_pricing"] == {"enabled": "false"}
        assert stripe.calls[0][2] == f"checkout-{payment.public_id}"
        assert (payment.state, payment.provider, payment.is_live) == ("PENDING", "stripe", False)
        assert payment.checkout_url.startswith(f"{stripe.base}/c/pay/cs_test_")

    def test_the_person_is_led_to_stripes_page(self, stripe):
        payment = new_order()
        client = Client()
        client.force_login(payment.owner)
        page = f"/billing/payments/{payment.public_id}/"

        assert payment.checkout_url in client.get(page).content.decode()
        answer = client.get(f"{page}?go=1", headers={"HX-Request": "true"})
        assert answer["HX-Redirect"] == payment.checkout_url

    def test_a_lost_answer_is_asked_for_again_and_is_one_session(self, stripe):
        stripe.trouble.lost_answers = 2
        payment = new_order()
        assert (payment.state, payment.attempts) == ("CREATED", 1)

        assert retry_order(payment).state == "CREATED"
        assert retry_order(payment).state == "PENDING"

        assert len(stripe.bank.sessions) == 1
        assert payment.provider_reference in stripe.bank.sessions
        assert {key for _, _, key, _ in stripe.calls} == {f"checkout-{payment.public_id}"}

    def test_an_answer_that_comes_too_late_is_none(self, stripe, monkeypatch):
        monkeypatch.setattr(stripe_client, "TIMEOUTS_S", (1.0, 0.2))
        stripe_client.calls_with.cache_clear()
        stripe.trouble.slow_s = 0.6
        payment = new_order()
        assert payment.state == "CREATED"

        monkeypatch.undo()
        stripe_client.calls_with.cache_clear()

        assert retry_order(payment).state == "PENDING"
        assert len(stripe.bank.sessions) == 1

    def test_a_notice_that_is_faster_than_the_answer_settles_the_order(self, stripe):
        stripe.trouble.lost_answers = 1
        payment = new_order()
        [session_id] = stripe.bank.sessions
        stripe.bank.pay(session_id)

        tell_all(stripe)

        payment.refresh_from_db()
        assert (payment.state, payment.provider_reference) == ("SETTLED", session_id)
        assert retry_order(payment).state == "SETTLED"

    def test_what_stripe_refuses_has_failed_at_once(self, stripe):
        payment = new_order(amount="0.20")

        assert (payment.state, payment.state_reason) == ("FAILED", "provider_rejected")
        assert len(stripe.calls) == 1

    def test_where_there_is_a_key_stripe_sells(self, stripe, settings):
        assert isinstance(find_selling_provider(), StripeProvider)

        settings.PAYMENT_PROVIDERS = ["development"]

        assert find_provider("stripe") is None
        assert Client().post(URL, data=b"{}", content_type="application/json").status_code == 404

    @pytest.mark.parametrize(
        ("key", "is_live"),
        [("sk_test_1", False), ("sk_live_1", True), ("rk_live_1", True), ("rk_test_1", False)],
    )
    def test_the_key_says_whether_money_moves(self, settings, key, is_live):
        settings.STRIPE_SECRET_KEY = key

        assert StripeProvider().is_live is is_live


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "error", "expected"),
        [
            (400, {"type": "invalid_request_error"}, ProviderRejectedError),
            (400, {"type": "idempotency_error"}, ProviderRejectedError),
            (402, {"type": "card_error", "code": "card_declined"}, ProviderRejectedError),
            (404, {"type": "invalid_request_error"}, UnknownReferenceError),
            (400, {"code": "resource_missing"}, UnknownReferenceError),
            (401, {"type": "invalid_request_error"}, ProviderNotConfiguredError),
            (403, {"type": "invalid_request_error"}, ProviderNotConfiguredError),
            (409, {"code": "idempotency_key_in_use"}, ProviderUnavailableError),
            (429, {"code": "rate_limit"}, ProviderUnavailableError),
            (500, {"type": "api_error"}, ProviderUnavailableError),
            (503, {"type": "api_error"}, ProviderUnavailableError),
        ],
    )
    def test_each_answer_has_a_meaning(self, stripe, status, error, expected):
        stripe.trouble.answers = [(status, {"error": {"message": "sk_test_secret", **error}})]

        with pytest.raises(expected) as caught:
            StripeProvider().create_checkout(make_order())

        assert type(caught.value) is expected
        assert "sk_test" not in caught.value.message

    @pytest.mark.parametrize(
        "answer",
        [b"<html>", b"", {}, {"id": 1, "url": 2}, {"id": "cs_1", "url": None}, {"error": "text"}],
    )
    def test_an_answer_that_cannot_be_read_is_none(self, stripe, answer):
        stripe.trouble.answers = [(200, answer)]

        with pytest.raises(ProviderUnavailableError):
            StripeProvider().create_checkout(make_order())

    def test_a_key_with_other_parameters_is_refused(self, stripe):
        first = make_order()
        StripeProvider().create_checkout(first)

        with pytest.raises(ProviderRejectedError):
            StripeProvider().create_checkout(make_order(idempotency_key=first.idempotency_key))

    def test_a_wrong_key_asks_again_later_and_is_told_to_nobody(self, stripe, settings, caplog):
        caplog.set_level(logging.DEBUG)
        settings.STRIPE_SECRET_KEY = "sk_test_" + "wrong" * 6

        payment = new_order()

        assert (payment.state, payment.attempts) == ("CREATED", 1)
        assert "wrongwrong" not in caplog.text
        settings.STRIPE_SECRET_KEY = ""
        with pytest.raises(ProviderNotConfiguredError):
            StripeProvider().fetch("cs_test_1")

    def test_a_fraction_of_a_cent_is_never_sent(self, stripe):
        with pytest.raises(ProviderRejectedError):
            StripeProvider().create_checkout(make_order(amount=Decimal("29.001")))

        assert stripe.calls == []

    @pytest.mark.parametrize(
        ("currency", "amount", "units"),
        [("USD", "1", 100), ("JPY", "100", 100), ("KWD", "1.23", 1_230), ("ISK", "100", 10_000)],
    )
    def test_amounts_are_counted_as_stripe_does(self, stripe, currency, amount, units):
        asked = make_order(currency=currency, amount=Decimal(amount))
        reference = StripeProvider().create_checkout(asked).reference

        assert stripe.bank.sessions[reference]["amount_total"] == units
        assert StripeProvider().fetch(reference).amount == Decimal(amount)


def test_the_library_is_not_loaded_before_somebody_asks_stripe():
    script = (
        "import django, sys; django.setup(); from billing.web import webhooks; "
        "from billing.providers import registry; sys.exit('stripe' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
