"""Notices of Stripe: which are proven, kept, ignored and refused."""

from datetime import timedelta

import pytest
import requests
from django.test import Client
from django.utils import timezone

from billing.models import ProviderEvent
from billing.selectors.ledger import violations
from tests.billing.stripe_selling import (
    URL,
    new_order,
    post,
    process_all,
    send,
)

pytestmark = pytest.mark.django_db


class TestNotices:
    @pytest.mark.parametrize(
        "proof",
        [{"secret": "whsec_" + "x" * 32}, {"secret": ""}, {"at": 0}, {"at": 10**11}],
    )
    def test_what_is_not_proven_is_refused_and_not_kept(self, stripe, proof):
        payment = new_order()

        answer = send(stripe, stripe.bank.pay(payment.provider_reference), **proof)

        assert (answer.status_code, answer.json()) == (400, {"code": "signature_invalid"})
        assert not ProviderEvent.objects.exists()

    @pytest.mark.parametrize("age_s", [299, -290])
    def test_a_proof_of_the_last_minutes_is_good(self, stripe, age_s):
        payment = new_order()
        at = int(timezone.now().timestamp()) - age_s

        assert send(stripe, stripe.bank.pay(payment.provider_reference), at=at).status_code == 200

    def test_the_secret_before_proves_while_it_is_replaced(self, stripe, settings):
        old = stripe.bank.webhook_secret
        settings.STRIPE_WEBHOOK_SECRETS = ("whsec_" + "n" * 32, old)
        payment = new_order()

        assert send(stripe, stripe.bank.pay(payment.provider_reference)).status_code == 200
        assert ProviderEvent.objects.get().secret_slot == "previous"

    def test_two_proofs_in_one_header_are_looked_at_both(self, stripe):
        payment = new_order()
        body, signature = stripe.bank.notice(stripe.bank.pay(payment.provider_reference))

        assert post(body, signature.replace(",v1=", f",v1={'0' * 64},v1=")).status_code == 200

    def test_the_signature_of_the_other_provider_proves_nothing(self, stripe):
        body, signature = stripe.bank.notice(stripe.bank.event_about({}, kind="charge.updated"))
        headers = {"Development-Signature": signature}
        client = Client()

        answer = client.post(URL, data=body, content_type="application/json", headers=headers)

        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("kind", "subject", "more"),
        [
            ("customer.created", {"id": "cus_1"}, {}),
            ("charge.dispute.created", {"id": "du_1", "payment_intent": None}, {}),
            ("charge.refunded", {"id": "ch_1", "payment_intent": None}, {}),
            ("checkout.session.completed", {"id": "cs_test_1"}, {"account": "acct_other"}),
        ],
    )
    def test_what_concerns_no_payment_of_ours_is_kept_and_ignored(
        self, stripe, kind, subject, more
    ):
        event = stripe.bank.event_about(subject, kind=kind) | more

        assert send(stripe, event).status_code == 200
        stored = ProviderEvent.objects.get()
        assert (stored.state, stored.reason) == ("IGNORED", "unknown_kind")

    @pytest.mark.parametrize(
        "change",
        [
            {"data": {}},
            {"data": {"object": "cs_1"}},
            {"data": {"object": {}}},
            {"created": True},
            {"created": 10**30},
            {"livemode": "false"},
            {"id": "evt_" + "x" * 200},
        ],
    )
    def test_a_proven_notice_that_cannot_be_read_is_refused(self, stripe, change):
        event = stripe.bank.event_about({"id": "cs_1"}, kind="checkout.session.completed")

        answer = send(stripe, event | change)

        assert (answer.status_code, answer.json()) == (400, {"code": "payload_invalid"})
        assert not ProviderEvent.objects.exists()

    def test_while_stripe_is_away_a_notice_waits(self, stripe, settings):
        payment = new_order()
        event = stripe.bank.pay(payment.provider_reference)
        send(stripe, event)
        settings.STRIPE_API_BASE = "http://127.0.0.1:9"
        assert [event.state for event in process_all()] == ["NEW"]

        settings.STRIPE_API_BASE = stripe.base
        ProviderEvent.objects.update(not_before=timezone.now() - timedelta(days=1))

        assert [event.state for event in process_all()] == ["DONE"]


@pytest.mark.django_db(transaction=True)
def test_a_notice_over_http_settles_the_order(stripe, live_server):
    payment = new_order()
    stripe.bank.pay(payment.provider_reference)
    [event] = stripe.bank.events
    body, signature = stripe.bank.notice(event)
    address = f"{live_server.url}{URL}"
    headers = {"Content-Type": "application/json", "Stripe-Signature": signature}

    answers = [
        requests.post(address, data=sent, headers=headers, timeout=10).status_code
        for sent in (body, body, body + b" ")
    ]

    assert answers == [200, 200, 400]
    [stored] = process_all()
    payment.refresh_from_db()
    assert (stored.state, stored.deliveries, payment.state) == ("DONE", 2, "SETTLED")
    assert violations() == []
