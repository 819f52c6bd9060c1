"""The canaries: keys that were connected appear in no log, answer, column, message or record."""

import logging
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from exchanges.models import ExchangeAccount
from exchanges.services import account_tests
from foundation.audit import Actor
from tests.exchanges.accounts.conftest import API_KEY, NOW, SECRET
from tests.exchanges.accounts.connecting import connect, run_test
from tests.factories import accounts as people

CANARIES = (API_KEY, SECRET)


def every_text_in_the_database() -> Iterator[str]:
    """Yield all rows of all tables, as PostgreSQL prints them; binary columns as hexadecimal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} AS t")
            yield from (row for (row,) in cursor.fetchall())


def every_value_in_redis() -> Iterator[str]:
    """Yield all keys and values of the broker, queues included."""
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        for key in server.scan_iter():
            yield repr(key)
            yield repr(server.dump(key))


def assert_silent(texts: Iterator[str] | list[str]) -> None:
    for text in texts:
        for canary in CANARIES:
            assert canary not in text
            assert canary.encode().hex() not in text


@pytest.mark.enable_socket
@pytest.mark.django_db(transaction=True)
class TestCanaries:
    @pytest.fixture(autouse=True)
    def _everything_is_logged(self, caplog):
        caplog.set_level(logging.DEBUG)
        for name in ("celery", "kombu", "django", "ccxt", "asyncio", "aiohttp"):
            caplog.set_level(logging.DEBUG, logger=name)
        # It tells every variable that a template leaves out, at length.
        caplog.set_level(logging.INFO, logger="django.template")

    def test_keys_of_a_form_leave_no_trace(self, client, memory_venue, caplog):
        """The message to the worker really goes to the broker here."""
        ada = people.make_person()
        client.force_login(ada)
        form = {"label": "Main", "api_key": API_KEY, "secret": SECRET}
        address = reverse("exchanges:connect", args=["memory"])

        response = client.post(address, form)
        pages = [client.get(response["Location"]), client.get(reverse("exchanges:list"))]
        bad = client.post(address, form | {"secret": f"{SECRET} {SECRET}"})
        account = ExchangeAccount.objects.select_related("owner").get()
        run_test(account)
        account_tests.request_test(
            owner=ada, account_public_id=account.public_id, by=Actor.person(ada.pk), now=NOW
        )

        assert_silent([page.content.decode() for page in [*pages, bad]])
        assert_silent(every_text_in_the_database())
        assert_silent(every_value_in_redis())
        assert_silent([caplog.text, *(repr(vars(record)) for record in caplog.records)])

    def test_a_dump_of_the_tables_and_the_operators_lists_hold_no_key(
        self, client, memory_venue, capsys
    ):
        account = connect(people.make_person())
        people.sign_in_operator(client)
        lists = [
            reverse(f"admin:exchanges_{model}_changelist")
            for model in ("exchangeaccount", "credential", "balance")
        ]
        credential = account.credentials.get()
        single = reverse("admin:exchanges_credential_change", args=[credential.pk])

        pages = [client.get(address) for address in [*lists, single]]
        call_command("dumpdata", "exchanges", "foundation")

        assert {page.status_code for page in pages} == {200}
        assert_silent([page.content.decode() for page in pages])
        assert_silent([capsys.readouterr().out, repr(credential), repr(vars(credential))])

    def test_an_operators_page_does_not_even_show_the_sealed_value(self, client, memory_venue):
        credential = connect(people.make_person()).credentials.get()
        people.sign_in_operator(client)

        page = client.get(reverse("admin:exchanges_credential_change", args=[credential.pk]))

        shown = page.content.decode().lower()
        assert "sealed api key" not in shown
        assert "sealed secret" not in shown
