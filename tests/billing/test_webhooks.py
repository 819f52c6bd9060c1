"""The inbox of notices: what is taken, what is refused and with which answer."""

import json
import os
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from billing.models import DevelopmentCharge, Grant, Payment, ProviderEvent
from billing.providers import signatures
from billing.providers.development import write_notice
from billing.services import development, provider_events
from foundation.rates import Rate
from tests.billing.buying import buy, charge_of, deliver_all, make_price, order
from tests.factories.accounts import make_person

CURRENT, PREVIOUS = "current-" + "c" * 40, "previous-" + "p" * 40
URL = "/webhooks/development/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def secrets(settings):
    settings.DEVELOPMENT_WEBHOOK_SECRETS = (CURRENT, PREVIOUS)


def notice(reference: str = "", *, kind: str = "charge.paid", external_id=None, at=None) -> bytes:
    return write_notice(
        external_id=external_id or uuid4(),
        kind=kind,
        reference=reference or str(uuid4()),
        occurred_at=at or timezone.now(),
    )


def send(
    body: bytes,
    header: str | None = None,
    *,
    secret: str = CURRENT,
    age_s: int = 0,
    more: dict[str, str] | None = None,
):
    at = int(timezone.now().timestamp()) - age_s
    signature = signatures.sign(body, secret=secret, at=at) if header is None else header
    headers = {"Development-Signature": signature} if signature else {}
    return Client().post(
        URL, data=body, content_type="application/json", headers=headers | (more or {})
    )


def send_to(provider: str, body: bytes):
    return Client().post(f"/webhooks/{provider}/", data=body, content_type="application/json")


class TestTaken:
    @pytest.mark.parametrize(("secret", "slot"), [(CURRENT, "current"), (PREVIOUS, "previous")])
    def test_either_secret_proves_a_notice(self, secret, slot):
        assert send(notice(), secret=secret).status_code == 200
        assert ProviderEvent.objects.get().secret_slot == slot

    def test_the_raw_body_is_kept_as_it_came(self):
        body = notice().replace(b'","', b'" , "')

        assert send(body).status_code == 200
        assert bytes(ProviderEvent.objects.get().body) == body

    def test_a_repeat_is_counted_and_a_changed_body_flagged(self, caplog):
        external_id = uuid4()
        first = notice(external_id=external_id)
        assert [send(first).status_code, send(first).status_code] == [200, 200]
        stored = ProviderEvent.objects.get()
        assert (stored.deliveries, stored.body_changed) == (2, False)

        assert send(notice(external_id=external_id, kind="charge.failed")).status_code == 200

        stored.refresh_from_db()
        assert (stored.deliveries, stored.body_changed) == (3, True)
        assert stored.kind == "charge.paid"
        assert "provider_event.body_changed" in caplog.text

    def test_an_unknown_kind_is_kept_and_ignored(self):
        assert send(notice(kind="account.updated")).status_code == 200

        event = ProviderEvent.objects.get()
        assert (event.state, event.reason) == ("IGNORED", "unknown_kind")


class TestRefused:
    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
    def test_only_post_is_taken(self, method):
        assert getattr(Client(), method)(URL).status_code == 405

    def test_a_provider_that_is_not_here_is_not_found(self):
        assert send_to("nobody", b"{}").status_code == 404

    @pytest.mark.parametrize(
        "forge",
        [
            lambda body: send(body, ""),
            lambda body: send(body, "nonsense"),
            lambda body: send(body, secret="wrong" * 10),
            lambda body: send(body, secret=CURRENT[:-1]),
            lambda body: send(body, age_s=301),
            lambda body: send(body, age_s=-301),
            lambda body: send(body, "t=,v1=" + "0" * 64),
            lambda body: send(body, "v1=" + "0" * 64),
            lambda body: send(body, f"t=soon,v1={'0' * 64}"),
            lambda body: send(body, _signed(body).replace("v1=", "v0=")),
            lambda body: send(body, _signed(body).upper().replace("T=", "t=").replace("V1", "v1")),
            lambda body: send(body, _signed(body) + " "),
            lambda body: send(body, _signed(body)[:-1]),
            lambda body: send(body, _signed(body).replace("t=", "t=1,t=")),
            lambda body: send(json.dumps(json.loads(body)).encode(), _signed(body)),
            lambda body: send(body + b" ", _signed(body)),
            lambda body: send(body[:-1], _signed(body)),
            lambda body: send(body.replace(b"charge", "chärge".encode()), _signed(body)),
            lambda body: send(body, "", more={"Stripe-Signature": _signed(body)}),
            lambda body: send(body, _signed(body, at=10**11)),
        ],
    )
    def test_what_is_not_proven_is_refused_and_not_kept(self, forge):
        response = forge(notice())

        assert response.status_code == 400
        assert response.json() == {"code": "signature_invalid"}
        assert not ProviderEvent.objects.exists()

    def test_without_any_secret_nothing_is_proven(self, settings):
        settings.DEVELOPMENT_WEBHOOK_SECRETS = ("", "")

        assert send(notice(), secret="").status_code == 503
        assert not ProviderEvent.objects.exists()

    def test_an_empty_previous_secret_proves_nothing(self, settings):
        settings.DEVELOPMENT_WEBHOOK_SECRETS = (CURRENT, "")

        assert send(notice(), secret="").status_code == 400

    def test_too_large_a_body_is_refused(self):
        assert send(b"x" * (256 * 1024 + 1)).status_code == 413

    def test_a_compressed_body_is_refused(self):
        assert send(notice(), more={"Content-Encoding": "gzip"}).status_code == 415

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"not json",
            b"[]",
            b"null",
            b"{}",
            b"[" * 100_000,
            b'{"id": 1, "type": "charge.paid", "created": "x", "livemode": false, "reference": "a"}',
            notice().replace(b"false", b'"no"'),
            notice().replace(b'"id":"', b'"id":"\\u0000'),
            notice().replace(b'"reference"', b'"object"'),
            b"\xff\xfe",
        ],
    )
    def test_a_proven_body_that_cannot_be_read_is_refused(self, body):
        response = send(body)

        assert response.status_code == 400
        assert response.json() == {"code": "payload_invalid"}
        assert not ProviderEvent.objects.exists()

    def test_without_a_database_the_provider_is_asked_to_try_again(self, monkeypatch):
        def away(**_):
            raise OperationalError

        monkeypatch.setattr("billing.services.provider_events._store", away)

        assert send(notice()).status_code == 503

    def test_a_flood_of_forged_ones_is_held_off_and_true_ones_pass(self, settings):
        settings.API_RATES = settings.API_RATES | {"forged_notice": Rate(3, 60)}
        client = Client(REMOTE_ADDR=f"10.{os.getpid() % 250}.7.{timezone.now().second}")
        answers = [
            client.post(URL, data=b"{}", content_type="application/json").status_code
            for _ in range(8)
        ]
        body = notice()
        header = {"Development-Signature": _signed(body)}

        assert set(answers[-2:]) == {429}
        assert (
            client.post(URL, data=body, content_type="application/json", headers=header).status_code
            == 200
        )


class TestDealtWith:
    def test_an_older_notice_than_the_newest_is_stale(self):
        payment = buy(make_person())
        news_at = Payment.objects.get().news_at
        assert news_at is not None
        send(notice(payment.provider_reference, kind="charge.failed", at=news_at - timedelta(1)))

        stale = deliver_all(now=timezone.now())[-1]

        assert (stale.state, stale.reason) == ("IGNORED", "stale")
        assert Payment.objects.get().state == "SETTLED"

    def test_an_unknown_object_is_kept_told_and_tried_again(self, caplog):
        send(notice())
        [event] = deliver_all(now=timezone.now())
        assert (event.state, event.reason) == ("UNMATCHED", "unknown_object")
        assert "provider_event.unmatched" in caplog.text

        ProviderEvent.objects.update(
            received_at=timezone.now() - timedelta(days=31), not_before=timezone.now()
        )
        provider_events.process(event_id=event.pk, now=timezone.now() + timedelta(hours=2))

        event.refresh_from_db()
        assert (event.state, event.reason) == ("FAILED", "unmatched")

    def test_a_notice_that_comes_before_its_order_is_known_is_matched_by_the_id_sent_along(self):
        payment = order(make_person(), make_price())
        reference = payment.provider_reference
        Payment.objects.update(provider_reference="", checkout_url="", state="CREATED")
        development.pay(reference=UUID(reference), now=timezone.now())

        deliver_all(now=timezone.now())

        payment.refresh_from_db()
        assert (payment.state, payment.provider_reference) == ("SETTLED", reference)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"amount": "0.01"}, "amount_mismatch"),
            ({"currency": "JPY"}, "currency_mismatch"),
            ({"customer": "somebody-else"}, "customer_mismatch"),
            ({"metadata": {}}, "order_mismatch"),
        ],
    )
    def test_what_differs_from_the_order_entitles_to_nothing(self, change, reason, caplog):
        payment = order(make_person(), make_price())
        DevelopmentCharge.objects.update(**change)
        development.pay(reference=charge_of(payment).reference, now=timezone.now())

        [event] = deliver_all(now=timezone.now())

        payment.refresh_from_db()
        assert (event.state, event.reason) == ("FAILED", reason)
        assert payment.state == "PENDING"
        assert not Grant.objects.exists()
        assert "provider_event.refused" in caplog.text

    def test_a_notice_of_the_other_mode_is_ignored_and_told(self, caplog):
        payment = order(make_person(), make_price())
        send(notice(payment.provider_reference).replace(b"false", b"true"))

        [event] = deliver_all(now=timezone.now())

        assert (event.state, event.reason) == ("IGNORED", "mode_mismatch")
        assert "provider_event.refused" in caplog.text

    def test_a_claim_of_a_dead_worker_runs_out(self):
        payment = order(make_person(), make_price())
        development.pay(reference=charge_of(payment).reference, now=timezone.now())
        for owed in charge_of(payment).notices.all():
            development.deliver(notice_id=owed.pk, now=timezone.now())
        event = ProviderEvent.objects.get()
        assert provider_events._claim(event.pk) is not None

        provider_events.process(event_id=event.pk, now=timezone.now())
        assert Payment.objects.get().state == "PENDING"
        ProviderEvent.objects.update(not_before=timezone.now() - timedelta(seconds=1))
        provider_events.process(event_id=event.pk, now=timezone.now())

        assert Payment.objects.get().state == "SETTLED"


def _signed(body: bytes, at: int | None = None) -> str:
    return signatures.sign(body, secret=CURRENT, at=at or int(timezone.now().timestamp()))
