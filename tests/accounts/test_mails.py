"""Mails: what they say, that each is sent once, and what they never tell."""

import base64
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

import pytest
import redis
from allauth.account.models import EmailAddress
from django.conf import settings as django_settings
from django.core import mail as django_mail
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import Mail, MailKind, User
from accounts.services import mail_delivery, mails
from accounts.services.people import deactivate_person, register_person
from foundation.audit import Actor
from tests.accounts.mailing import FACTS, let_pass, make_mail, running_mail_server, send
from tests.factories.accounts import make_person

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OPERATOR = Actor.system("test")
#: Tests that register or deactivate need the database, whoever asks for a person.
pytestmark = pytest.mark.django_db

SMTP = "django.core.mail.backends.smtp.EmailBackend"
UNFILLED = "«unfilled»"


@pytest.fixture
def ada(db) -> User:
    return make_person(display_name="Ada")


@pytest.fixture
def mail_server(settings):
    """A real server, to which mails go."""
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = SMTP
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def no_mail_server(settings):
    """Nobody listens where mails go."""
    settings.EMAIL_BACKEND = SMTP
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9


def waiting_address(person: User) -> EmailAddress:
    """Return an address of *person* that is still to be proven."""
    address, _ = EmailAddress.objects.update_or_create(
        user=person, email=person.email, defaults={"primary": True, "verified": False}
    )
    return address


@pytest.mark.parametrize("kind", list(MailKind))
class TestEveryKind:
    @pytest.fixture(autouse=True)
    def _unfilled_variables_show(self, settings):
        """Have a variable that nobody fills leave a mark instead of nothing."""
        engine = settings.TEMPLATES[0]
        settings.TEMPLATES = [
            engine | {"OPTIONS": engine["OPTIONS"] | {"string_if_invalid": UNFILLED}}
        ]

    @pytest.mark.parametrize("facts", ["all", "none"])
    def test_it_has_a_subject_a_text_and_html(self, ada, kind, facts, mailoutbox):
        waiting_address(ada)
        owner = None if kind == MailKind.UNKNOWN_ADDRESS else ada

        sent = send(make_mail(owner, kind, facts=FACTS.get(kind, {}) if facts == "all" else {}))

        assert sent.sent_at is not None, sent.last_error
        message = mailoutbox[0]
        html, media_type = message.alternatives[0]
        assert media_type == "text/html"
        assert message.to == [sent.recipient]
        assert parseaddr(message.from_email)[1] == parseaddr(django_settings.DEFAULT_FROM_EMAIL)[1]
        assert 10 <= len(message.subject) <= 150
        for words in (message.subject, message.body, html):
            assert UNFILLED not in words
            assert "{" not in re.sub(r"<style>.*?</style>", "", words, flags=re.DOTALL)
            assert "None" not in words
        assert "Trading Platform" in message.body
        assert "\n\n\n" not in message.body
        assert message.body.count("\n") > 5

    def test_its_links_are_absolute_and_the_same_in_text_and_html(self, ada, kind, mailoutbox):
        waiting_address(ada)

        send(make_mail(None if kind == MailKind.UNKNOWN_ADDRESS else ada, kind))

        html = str(mailoutbox[0].alternatives[0][0])
        links = set(re.findall(r'href="([^"]+)"', html))
        assert links
        for link in links:
            assert link.startswith(f"{django_settings.SITE_URL}/"), link
            assert link.replace("&amp;", "&") in mailoutbox[0].body


class TestWords:
    def test_a_name_cannot_bring_markup_or_headers(self, ada, mailoutbox):
        User.objects.filter(pk=ada.pk).update(display_name="<b>A</b>\r\nBcc: eve@example.com")
        facts = {
            "title": "<script>x</script>\r\nBcc: eve@example.com",
            "path": "/exchange-accounts/",
            "account": '"><img src=x>',
        }

        send(make_mail(ada, facts=facts))

        message = mailoutbox[0]
        assert "\n" not in message.subject
        assert message.recipients() == [ada.email]
        assert "Bcc" not in message.message()
        assert "Hello <b>A</b> Bcc: eve@example.com," in message.body
        html = str(message.alternatives[0][0])
        for markup in ("<b>A</b>", "<script>", "<img"):
            assert markup not in html

    def test_an_address_that_nobody_proved_is_greeted_without_a_name(self, ada, mailoutbox):
        waiting_address(ada)

        send(make_mail(ada, MailKind.VERIFY_ADDRESS))

        assert "Ada" not in mailoutbox[0].body

    def test_other_facts_become_lines(self, ada, mailoutbox):
        send(make_mail(ada, facts={"title": "T", "used_by": "A program", "empty": ""}))

        assert "\nUsed by: A program\n" in mailoutbox[0].body
        assert "Empty" not in mailoutbox[0].body

    def test_it_is_recognized_when_it_comes_twice(self, ada, mailoutbox):
        mail = make_mail(ada)
        send(mail)
        Mail.objects.update(sent_at=None)
        let_pass(mail, "1 minute")
        send(mail)

        first, second = (message.message()["Message-ID"] for message in mailoutbox)
        assert first == second
        assert str(mail.public_id) in first


class TestAsking:
    def test_it_waits_for_the_transaction(self, ada, django_capture_on_commit_callbacks):
        with pytest.raises(RuntimeError, match="inside a transaction"):
            mails.request_mail(kind=MailKind.KEY_INVALID, recipient=ada.email)

        with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
            mails.request_mail(kind=MailKind.KEY_INVALID, recipient=ada.email, owner_id=ada.pk)
        assert len(callbacks) == 1

    def test_a_key_is_mailed_once_and_no_key_each_time(self, ada):
        for key in ("a", "a", "b", "", ""):
            with transaction.atomic():
                mails.request_mail(
                    kind=MailKind.KEY_INVALID, recipient=ada.email, owner_id=ada.pk, key=key
                )

        assert sorted(Mail.objects.values_list("key", flat=True)) == ["", "", "a", "b"]

    def test_the_transaction_goes_on_after_a_repeat(self, ada):
        with transaction.atomic():
            for _ in range(2):
                mails.request_mail(
                    kind=MailKind.KEY_INVALID, recipient=ada.email, owner_id=ada.pk, key="a"
                )
            make_person("grace@example.com")

        assert User.objects.count() == 2

    def test_a_kind_that_is_none_is_refused(self, ada):
        with pytest.raises(ValueError, match="lottery"), transaction.atomic():
            mails.request_mail(kind="lottery", recipient=ada.email)  # type: ignore[arg-type]  # the point


class TestSending:
    def test_a_server_gets_it(self, ada, mail_server):
        sent = send(make_mail(ada))

        assert sent.sent_at is not None
        message = mail_server.received[0]
        assert message["To"] == ada.email
        assert message["Auto-Submitted"] == "auto-generated"
        assert message.get_body(("plain",)).get_content().startswith("Hello Ada,")
        assert "<h1>Title of key_invalid</h1>" in message.get_body(("html",)).get_content()

    def test_a_repeated_message_sends_nothing(self, ada, mailoutbox):
        mail = make_mail(ada)
        send(mail)
        send(mail)

        assert len(mailoutbox) == 1

    def test_it_never_happens_inside_a_transaction(self, ada):
        mail = make_mail(ada)

        with pytest.raises(RuntimeError, match="inside a transaction"), transaction.atomic():
            mail_delivery.send_mail(mail_id=mail.pk)

    def test_it_is_tried_again_later_and_later_and_then_given_up(self, ada, no_mail_server):
        mail = make_mail(ada)
        for attempt, minutes in enumerate([1, 5, 30, 120, 600], start=1):
            send(mail)
            assert (mail.attempts, mail.failed_at) == (attempt, None)
            wait = mail.not_before - timezone.now()
            assert timedelta(minutes=minutes) - wait < timedelta(seconds=20)

            let_pass(mail, f"{minutes} minutes - 30 seconds")
            assert send(mail).attempts == attempt
            let_pass(mail, "1 minute")
        send(mail)

        assert (mail.attempts, mail.sent_at) == (6, None)
        assert mail.failed_at is not None
        assert mail.last_error == "ConnectionRefusedError"

    def test_it_goes_out_once_the_server_is_back(self, ada, settings, mail_server):
        mail_server.refuses_with = "451 The disk is full of reset links"
        mail = send(make_mail(ada))
        assert (mail.sent_at, mail.last_error) == (None, "SMTPDataError")
        assert mail_server.received == []

        mail_server.refuses_with = ""
        let_pass(mail, "1 minute")
        send(mail)

        assert mail.sent_at is not None
        assert len(mail_server.received) == 1

    def test_a_server_that_dies_after_taking_it_gets_it_again_under_the_same_name(
        self, ada, mail_server
    ):
        mail_server.hangs_up_after_taking = True
        mail = send(make_mail(ada))
        assert mail.sent_at is None

        mail_server.hangs_up_after_taking = False
        let_pass(mail, "1 minute")
        send(mail)

        names = [message["Message-ID"] for message in mail_server.received]
        assert len(names) == 2
        assert len(set(names)) == 1

    def test_what_a_server_says_is_kept_nowhere(self, ada, mail_server, caplog):
        mail_server.refuses_with = "554 canary-7714"

        send(make_mail(ada))

        assert "canary-7714" not in caplog.text
        assert "canary-7714" not in _text_of_database()

    def test_a_broken_template_is_logged_and_tried_as_often_as_anything(self, ada, caplog):
        mail = make_mail(ada)
        Mail.objects.update(kind="no_such_kind")

        send(mail)

        assert mail.last_error == "TemplateDoesNotExist"
        assert mail.failed_at is None
        assert "mail.broken" in caplog.text


class TestSweeping:
    def test_a_lost_message_is_found(self, ada):
        lost = make_mail(ada)
        let_pass(lost, "1 minute")
        make_mail(ada)

        assert mail_delivery.sweep_mails() == 1

    def test_one_that_waits_for_its_next_attempt_waits(self, ada, no_mail_server):
        mail = send(make_mail(ada))
        assert mail_delivery.sweep_mails() == 0

        let_pass(mail, "2 minutes")
        assert mail_delivery.sweep_mails() == 1

    def test_what_is_done_stays_done(self, ada):
        for mail in (make_mail(ada, sent_at=NOW), make_mail(ada, failed_at=NOW)):
            let_pass(mail, "1 day")

        assert mail_delivery.sweep_mails() == 0

    def test_a_worker_that_died_at_the_last_attempt_leaves_it_given_up(self, ada):
        mail = make_mail(ada, attempts=6)
        let_pass(mail, "1 minute")

        assert mail_delivery.sweep_mails() == 0
        mail.refresh_from_db()
        assert mail.failed_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_it_once(mail_server):
    ada = make_person()
    waiting = [make_mail(ada, key=f"{number}") for number in range(12)]
    begin = threading.Barrier(2)

    def work() -> None:
        begin.wait()
        for mail in waiting:
            mail_delivery.send_mail(mail_id=mail.pk)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    names = [message["Message-ID"] for message in mail_server.received]
    assert len(names) == len(set(names)) == 12
    assert not Mail.objects.filter(sent_at=None).exists()
    assert set(Mail.objects.values_list("attempts", flat=True)) == {1}


class TestWhoeverIsGone:
    def test_a_person_who_was_deactivated_gets_no_more_of_most(self, ada, mailoutbox):
        mail = make_mail(ada, MailKind.PASSWORD_CHANGED)
        deactivate_person(person_id=ada.pk, by=OPERATOR, now=NOW)

        send(mail)

        assert mailoutbox == []
        assert mail.failed_at is not None
        assert mail.last_error == "MailObsoleteError"

    def test_but_hears_of_what_became_of_their_orders(self, ada, mailoutbox):
        deactivate_person(person_id=ada.pk, by=OPERATOR, now=NOW)

        send(make_mail(ada, MailKind.DEPLOYMENT_STOPPED))

        assert len(mailoutbox) == 1

    def test_an_erased_person_gets_nothing(self, ada, mailoutbox):
        User.objects.filter(pk=ada.pk).update(is_active=False, erased_at=NOW)

        send(make_mail(ada, MailKind.DEPLOYMENT_STOPPED))

        assert mailoutbox == []

    def test_a_proven_address_is_not_asked_again(self, ada, mailoutbox):
        EmailAddress.objects.filter(pk=waiting_address(ada).pk).update(verified=True)

        assert send(make_mail(ada, MailKind.VERIFY_ADDRESS)).failed_at is not None
        assert mailoutbox == []

    def test_a_former_address_gets_no_link_to_the_account(self, ada, mailoutbox):
        mail = make_mail(ada, MailKind.RESET_PASSWORD, recipient="former@example.com")

        assert send(mail).failed_at is not None
        assert mailoutbox == []

    def test_old_ones_are_forgotten_and_waiting_ones_are_not(self, ada):
        old = NOW - timedelta(days=91)
        done = make_mail(ada, sent_at=old)
        given_up = make_mail(ada, failed_at=old)
        waiting = make_mail(ada)
        Mail.objects.update(created_at=old)
        fresh = make_mail(ada, sent_at=NOW)

        mails.prune_mails(now=NOW)

        assert set(Mail.objects.all()) == {waiting, fresh}
        assert {done, given_up}.isdisjoint(Mail.objects.all())


class TestLinks:
    def test_the_link_proves_the_address(self, client, mailoutbox):
        person = register_person(email="new@example.com", password="quiet-harbor-71", now=NOW)
        send(Mail.objects.get(kind=MailKind.VERIFY_ADDRESS))
        link = _link(mailoutbox[0], "/accounts/confirm-email/")

        client.post(link)

        assert EmailAddress.objects.get(user=person).verified

    def test_the_link_sets_a_new_password(self, client, ada, mailoutbox):
        send(make_mail(ada, MailKind.RESET_PASSWORD))
        form = client.get(_link(mailoutbox[0], "/accounts/password/reset/key/")).url

        client.post(form, {"password1": "another-harbor-72", "password2": "another-harbor-72"})

        ada.refresh_from_db()
        assert ada.check_password("another-harbor-72")

    @pytest.mark.parametrize("kind", [MailKind.VERIFY_ADDRESS, MailKind.RESET_PASSWORD])
    def test_links_are_in_no_row_message_or_log(
        self, ada, kind, mailoutbox, caplog, django_capture_on_commit_callbacks
    ):
        caplog.set_level("DEBUG")
        waiting_address(ada)
        broker = redis.Redis.from_url(django_settings.CELERY_BROKER_URL)
        broker.delete("default")
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            mails.request_mail(kind=kind, recipient=ada.email, owner_id=ada.pk)
        messages = broker.lrange("default", 0, -1)
        broker.delete("default")

        send(Mail.objects.get())

        link = _link(mailoutbox[0], "/accounts/")
        secret = link.rstrip("/").rpartition("/")[2]
        assert len(secret) > 20
        assert len(messages) == 1
        for where in (_text_of_database(), caplog.text, _text_of_message(messages[0])):
            assert secret not in where


class TestPagesWithoutAMailServer:
    def test_a_page_answers_at_once_and_the_mail_goes_out_later(
        self, client, ada, settings, mail_server
    ):
        settings.EMAIL_PORT, port = 9, settings.EMAIL_PORT

        response = client.post("/accounts/password/reset/", {"email": ada.email})
        mail = send(Mail.objects.get())
        assert response.status_code == 302
        assert mail.last_error == "ConnectionRefusedError"

        settings.EMAIL_PORT = port
        let_pass(mail, "1 minute")
        send(mail)
        assert mail_server.received[0]["To"] == ada.email


def test_a_person_and_a_key_are_one_mail_in_the_database_too(ada):
    make_mail(ada, key="a")

    with pytest.raises(IntegrityError), transaction.atomic():
        make_mail(ada, key="a")


def _link(message: django_mail.EmailMessage, path: str) -> str:
    """Return the address in the text of *message* that begins with *path* of the site."""
    found = re.search(re.escape(f"{django_settings.SITE_URL}{path}") + r"\S*", str(message.body))
    assert found is not None
    return found.group().removeprefix(django_settings.SITE_URL)


def _text_of_message(raw: bytes | str) -> str:
    """Return a message of the broker with its body as a worker reads it."""
    message = json.loads(raw)
    return f"{message} {base64.b64decode(message['body']).decode()}"


def _text_of_database() -> str:
    """Return everything that any table holds, as text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        texts = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            texts += [row[0] for row in cursor.fetchall()]
    return "\n".join(texts)
