"""The stand-in for Stripe, asked by Stripe's own library: where it differs, the other tests prove nothing."""

import pytest
import stripe as library

from tests.billing.stripe_fake import API_KEY, StripeServer

ASKED = {
    "mode": "payment",
    "line_items": [
        {
            "quantity": 1,
            "price_data": {
                "currency": "usd",
                "unit_amount": 10_000,
                "product_data": {"name": "Pro"},
            },
        }
    ],
    "success_url": "https://example.org/",
    "cancel_url": "https://example.org/",
}


@pytest.fixture
def client(stripe_server: StripeServer) -> library.StripeClient:
    """The library, led to the stand-in."""
    stripe_server.reset()
    return library.StripeClient(
        API_KEY,
        base_addresses={"api": stripe_server.base},
        max_network_retries=0,
        http_client=library.RequestsClient(timeout=5),
    )


def test_from_a_session_to_what_its_charge_cost(client, stripe_server):
    session = client.v1.checkout.sessions.create(ASKED)
    stripe_server.bank.pay(session.id)

    paid = client.v1.checkout.sessions.retrieve(session.id)
    intent = client.v1.payment_intents.retrieve(
        paid.payment_intent, {"expand": ["latest_charge.balance_transaction"]}
    )
    charge = client.v1.charges.retrieve(intent.latest_charge.id)

    assert (paid.status, paid.payment_status) == ("complete", "paid")
    assert intent.latest_charge.balance_transaction.fee == 320
    assert charge.balance_transaction == intent.latest_charge.balance_transaction.id


def test_a_session_is_expired_once(client):
    session = client.v1.checkout.sessions.create(ASKED)

    assert client.v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(library.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)


def test_a_refund_is_given_shown_and_told(client, stripe_server):
    session = client.v1.checkout.sessions.create(ASKED)
    stripe_server.bank.pay(session.id)
    intent_id = stripe_server.bank.intent_of(session.id)["id"]

    refund = client.v1.refunds.create({"payment_intent": intent_id, "amount": 4_000})

    assert client.v1.refunds.retrieve(refund.id).amount == 4_000
    events = client.v1.events.list({"limit": 10})
    assert [event.type for event in events.data] == [
        "charge.refunded",
        "checkout.session.completed",
    ]
    with pytest.raises(library.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent_id, "amount": 6_001})


def test_a_key_is_one_answer_for_the_same_question_only(client):
    key = {"idempotency_key": "one"}

    first = client.v1.checkout.sessions.create(ASKED, key)

    assert client.v1.checkout.sessions.create(ASKED, key).id == first.id
    with pytest.raises(library.IdempotencyError):
        client.v1.checkout.sessions.create(ASKED | {"cancel_url": "https://a.example/"}, key)


def test_its_notices_are_proven_by_the_library(client, stripe_server):
    session = client.v1.checkout.sessions.create(ASKED)
    body, signature = stripe_server.bank.notice(stripe_server.bank.pay(session.id))
    secret = stripe_server.bank.webhook_secret

    assert client.construct_event(body, signature, secret).type == "checkout.session.completed"
    with pytest.raises(library.SignatureVerificationError):
        client.construct_event(body + b" ", signature, secret)


def test_a_wrong_key_is_refused(stripe_server):
    wrong = library.StripeClient("sk_test_wrong", base_addresses={"api": stripe_server.base})

    with pytest.raises(library.AuthenticationError):
        wrong.v1.checkout.sessions.retrieve("cs_test_1")
