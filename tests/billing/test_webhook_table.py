"""The table of bad notices, line by line: what each is answered, what is kept, and that nothing else happens.

W3 and W4 have more cases in ``test_webhooks`` and ``tests/foundation/test_bodies``, and over real connections in
``tests/flows/test_webhook_connections``; W12 waits for a provider that takes coins.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from billing.models import DevelopmentCharge, Grant, LedgerEntry, Payment, ProviderEvent
from billing.providers import signatures
from billing.providers.development import write_notice
from billing.selectors.ledger import violations
from billing.services import development
from config.settings import base
from foundation.rates import Rate
from tests.billing.buying import buy, charge_of, deliver_all, make_price, order
from tests.factories.accounts import make_person

pytestmark = pytest.mark.django_db

URL = "/webhooks/development/"
SECRET = "table-" + "t" * 40
LARGEST = 256 * 1024


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.DEVELOPMENT_WEBHOOK_SECRETS = (SECRET, "")


def notice(**changes: object) -> bytes:
    body = {
        "id": str(uuid4()),
        "type": "charge.paid",
        "created": timezone.now().isoformat(),
        "livemode": False,
        "reference": str(uuid4()),
    }
    return json.dumps(body | changes).encode()


def now_s() -> int:
    return int(timezone.now().timestamp())


def signed(body: bytes, *, at: int | None = None, secret: str = SECRET) -> str:
    return signatures.sign(body, secret=secret, at=at or now_s())


def post(body: bytes, signature: str | None = None, **headers: str):
    proof = signed(body) if signature is None else signature
    sent = {"Development-Signature": proof} if proof else {}
    return Client().post(URL, body, content_type="application/json", headers=sent | headers)


@dataclass(frozen=True)
class Refused:
    """A line whose notice is not taken: nothing of it is kept."""

    line: str
    send: Callable[[], object]
    status: int
    code: str = ""


def _malformed(signature: str) -> Callable[[], object]:
    return lambda: post(notice(), signature)


def _with_time(at: str) -> Callable[[], object]:
    def send() -> object:
        body = notice()
        return post(body, signed(body).replace(f"t={now_s()}", at))

    return send


def _aged(seconds: int) -> Callable[[], object]:
    def send() -> object:
        body = notice()
        return post(body, signed(body, at=now_s() - seconds))

    return send


def _called(method: str) -> Callable[[], object]:
    return lambda: getattr(Client(), method)(URL)


REFUSED = [
    *(Refused(f"W1 {each}", _called(each), 405) for each in ("get", "put", "patch", "delete")),
    Refused("W2 none", _malformed(""), 400, "signature_invalid"),
    Refused("W2 malformed", _malformed("v1"), 400, "signature_invalid"),
    Refused("W2 wrong", _malformed(f"t={now_s()},v1={'0' * 64}"), 400, "signature_invalid"),
    Refused(
        "W2 an empty secret proves nothing",
        lambda: post(body := notice(), signed(body, secret="")),
        400,
        "signature_invalid",
    ),
    Refused("W3 old", _aged(302), 400, "signature_invalid"),
    Refused("W3 of the future", _aged(-302), 400, "signature_invalid"),
    Refused("W3 no number", _with_time("t=soon"), 400, "signature_invalid"),
    Refused("W3 absent", _with_time("x=1"), 400, "signature_invalid"),
    Refused("W4 large", lambda: post(b"x" * (LARGEST + 1)), 413, "too_large"),
    Refused(
        "W4 gzip",
        lambda: post(notice(), **{"Content-Encoding": "gzip"}),
        415,
        "unsupported_encoding",
    ),
    Refused("W5 not JSON", lambda: post(b"{"), 400, "payload_invalid"),
    Refused("W5 no id", lambda: post(notice(id="")), 400, "payload_invalid"),
    Refused("W5 id of another type", lambda: post(notice(id=7)), 400, "payload_invalid"),
    Refused("W5 time of another type", lambda: post(notice(created=5)), 400, "payload_invalid"),
    Refused("W5 mode of another type", lambda: post(notice(livemode=0)), 400, "payload_invalid"),
    Refused("W5 no object", lambda: post(notice(reference=None)), 400, "payload_invalid"),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.line)
def test_what_is_refused_leaves_nothing_behind(row, caplog):
    with caplog.at_level(logging.WARNING):
        answer = row.send()

    assert answer.status_code == row.status
    if row.code:
        assert answer.json() == {"code": row.code}
    assert not ProviderEvent.objects.exists()
    # W5: a proven notice that cannot be read is a bug of somebody, and told as an error.
    told = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert bool(told) == (row.code == "payload_invalid")


def test_w2_without_any_secret_the_provider_is_asked_to_come_again(settings):
    settings.DEVELOPMENT_WEBHOOK_SECRETS = ("", "")

    answer = post(notice())

    assert (answer.status_code, answer.json()["code"]) == (503, "provider_not_configured")


def _paid(payment: Payment) -> bytes:
    return notice(reference=payment.provider_reference)


def _unknown_kind(payment: Payment) -> bytes:
    return notice(type="customer.created", reference=payment.provider_reference)


def _older(payment: Payment) -> bytes:
    return notice(
        reference=payment.provider_reference,
        type="charge.failed",
        created=(timezone.now() - timedelta(days=3)).isoformat(),
    )


def _of_other_mode(payment: Payment) -> bytes:
    return notice(reference=payment.provider_reference, livemode=True)


def _of_nothing(payment: Payment) -> bytes:
    return notice()


#: Line, what is sent about a payment that is settled already, and what becomes of it.
TAKEN = [
    ("W6 unknown kind", _unknown_kind, "IGNORED", "unknown_kind", False),
    ("W8 older than what we hold", _older, "IGNORED", "stale", False),
    ("W9 unknown object", _of_nothing, "UNMATCHED", "unknown_object", True),
    ("W10 the other mode", _of_other_mode, "IGNORED", "mode_mismatch", True),
]


@pytest.mark.parametrize(
    ("write", "state", "reason", "is_told"),
    [row[1:] for row in TAKEN],
    ids=[row[0] for row in TAKEN],
)
def test_what_is_taken_and_of_no_use_changes_nothing(write, state, reason, is_told, caplog):
    payment = buy(make_person(), now=timezone.now())
    before = facts(payment)
    body = write(payment)

    assert post(body).status_code == 200
    stored = deliver_all(now=timezone.now())[-1]

    assert (stored.state, stored.reason, bytes(stored.body)) == (state, reason, body)
    assert any(each.levelno >= logging.ERROR for each in caplog.records) == is_told
    assert facts(payment) == before
    assert violations() == []


def test_w7_a_repeat_is_answered_200_and_has_one_effect(caplog):
    payment = order(make_person(), make_price())
    development.pay(reference=charge_of(payment).reference, now=timezone.now())
    body = _paid(payment)

    answers = [post(body).status_code for _ in range(3)]
    assert not caplog.records or "body_changed" not in caplog.text
    other = json.dumps(json.loads(body) | {"type": "charge.failed"}).encode()
    answers.append(post(other).status_code)
    deliver_all(now=timezone.now())

    assert answers == [200] * 4
    assert "provider_event.body_changed" in caplog.text
    payment.refresh_from_db()
    assert (payment.state, Grant.objects.count()) == ("SETTLED", 1)
    assert LedgerEntry.objects.filter(source="payments").count() == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": "0.01"}, "amount_mismatch"),
        ({"amount": "1000000"}, "amount_mismatch"),
        ({"currency": "EUR"}, "currency_mismatch"),
        ({"customer": "somebody-else"}, "customer_mismatch"),
        ({"metadata": {"payment": str(uuid4())}}, "order_mismatch"),
    ],
)
def test_w11_what_differs_from_the_order_waits_for_a_person(change, reason, caplog):
    payment = order(make_person(), make_price())
    DevelopmentCharge.objects.update(**change)
    development.pay(reference=charge_of(payment).reference, now=timezone.now())

    assert post(_paid(payment)).status_code == 200
    states = {(event.state, event.reason) for event in deliver_all(now=timezone.now())}

    assert states == {("FAILED", reason)}
    assert "provider_event.refused" in caplog.text
    payment.refresh_from_db()
    assert payment.state == "PENDING"
    assert not Grant.objects.exists()
    assert not LedgerEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestW13:
    """A database that is away, or does not get to it: the provider is asked to send it again."""

    def test_away(self, monkeypatch):
        body = notice()
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "PORT", "9")

        answer = post(body)
        monkeypatch.undo()

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert post(body).status_code == 200
        assert ProviderEvent.objects.get().deliveries == 1

    def test_held(self):
        body = notice()
        parameters = connection.get_connection_params()
        parameters = {
            name: parameters[name]
            for name in ("host", "port", "user", "dbname", "password")
            if parameters.get(name)
        }
        with psycopg.connect(**parameters) as other, connection.cursor() as cursor:
            other.execute("LOCK TABLE billing_providerevent IN ACCESS EXCLUSIVE MODE")
            cursor.execute("SET lock_timeout = 200")
            answer = post(body)
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert post(body).status_code == 200


def test_w14_a_flood_of_forged_ones_is_held_off_by_address_and_true_ones_pass(settings):
    assert base.API_RATES["forged_notice"] == Rate(60, 60)
    settings.API_RATES = settings.API_RATES | {"forged_notice": Rate(3, 3_600)}
    flood, other = (f"2001:db8::{uuid4().hex[:4]}" for _ in range(2))

    answers = [
        Client(REMOTE_ADDR=flood).post(URL, b"{}", content_type="application/json")
        for _ in range(6)
    ]

    assert [answer.status_code for answer in answers[-2:]] == [429, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    elsewhere = Client(REMOTE_ADDR=other).post(URL, b"{}", content_type="application/json")
    assert elsewhere.status_code == 400
    body = notice()
    true_one = Client(REMOTE_ADDR=flood).post(
        URL,
        body,
        content_type="application/json",
        headers={"Development-Signature": signed(body)},
    )
    assert true_one.status_code == 200


def facts(payment: Payment) -> tuple[object, ...]:
    """Return all that a notice could have changed."""
    payment.refresh_from_db()
    return (
        payment.state,
        payment.fee,
        payment.refunded_amount,
        payment.news_at,
        Grant.objects.count(),
        LedgerEntry.objects.count(),
    )


def test_the_notices_of_this_table_are_those_of_the_bank():
    body = write_notice(
        external_id=uuid4(), kind="charge.paid", reference="r", occurred_at=timezone.now()
    )

    assert set(json.loads(body)) == set(json.loads(notice()))
