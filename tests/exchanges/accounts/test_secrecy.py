"""The canaries: keys that were connected appear in no log, answer, column, message or record."""

import base64
import logging
import traceback
from collections.abc import Callable, Iterator

import pytest
import redis
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from accounts.models import Mail
from exchanges.adapters import memory
from exchanges.adapters.factory import MEMORY
from exchanges.models import ExchangeAccount
from exchanges.services import account_states, account_tests
from foundation.audit import Actor
from foundation.crypto import Secret, open_sealed
from foundation.crypto.rings import FIELD_RING, PRIVATE_RING, split_ring
from foundation.crypto.vault import VaultTransit
from foundation.logs import ConsoleFormatter, JsonFormatter
from market.errors import PlatformError
from tests.exchanges.accounts.conftest import API_KEY, NOW, SECRET
from tests.exchanges.accounts.connecting import connect, run_test
from tests.factories import accounts as people
from tests.factories.exchanges import make_venue
from tests.foundation.crypto.fake_vault import TOKEN, FakeVault, fake_vault

PASSPHRASE = "canary-passphrase-5ad3f0"
SEED = "CANARYSEEDJBSWY3DPEHPK3PXP"
CANARIES = (API_KEY, SECRET, PASSPHRASE, SEED, TOKEN)


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


def keys_of_the_rings() -> list[str]:
    """Return the keys that protect the others, as their variables have them."""
    rings = (settings.API_ENCRYPTION_KEY, settings.FIELD_ENCRYPTION_KEY)
    return [key for ring in rings for key in split_ring(ring).values()]


def assert_silent(texts: Iterator[str] | list[str]) -> None:
    forms = []
    for canary in [*CANARIES, *keys_of_the_rings()]:
        raw = canary.encode()
        forms += [canary, raw.hex(), base64.b64encode(raw).decode().rstrip("=")]
    for key in keys_of_the_rings():
        forms += [base64.b64decode(key).hex(), repr(base64.b64decode(key))]
    for text in texts:
        for form in forms:
            assert form not in text


def vault_of(vault: FakeVault, token: str = TOKEN) -> VaultTransit:
    return VaultTransit(
        address=vault.address, token=Secret(token), mount="transit", key="trading-platform"
    )


def failure_of(act: Callable[[], object]) -> str:
    """Return all that an exception tells whoever prints it, its causes included."""
    with pytest.raises(PlatformError) as raised:
        act()
    told = traceback.TracebackException.from_exception(raised.value)
    return "".join(told.format()) + repr(vars(raised.value))


def text_written(record: logging.LogRecord) -> str:
    """Return what the platform's handlers write of a record, for people and for machines."""
    return ConsoleFormatter().format(record) + JsonFormatter().format(record)


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

    def test_passphrase_seed_token_and_rings_leave_no_trace_however_it_fails(
        self, client, memory_venue, caplog
    ):
        """Every secret of an account goes through the platform, and everything that can fail does."""
        ada = people.make_person()
        client.force_login(ada)
        make_venue("okx", name="OKX", ccxt_id=MEMORY, takes_live_accounts=True)
        memory.get_venue("okx").clock = lambda: NOW
        Authenticator.objects.create(
            user=ada, type="totp", data={"secret": get_adapter().encrypt(SEED)}
        )
        keys = {"api_key": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE}
        page = client.post(reverse("exchanges:connect", args=["okx"]), keys, follow=True)
        told = client.post(
            "/api/v1/exchange-accounts",
            {"venue": "okx", "label": "Second", **keys, "secret": f"{SECRET} {SECRET}"},
            content_type="application/json",
        )
        account = ExchangeAccount.objects.select_related("owner", "venue").get()
        run_test(account)
        for _ in range(3):
            account_states.note_refusal(
                account_id=account.pk, code="credential_rejected", message="Refused.", now=NOW
            )
        with fake_vault() as vault:
            ring, version = settings.API_ENCRYPTION_KEY, 1
            wrapped = vault_of(vault).wrap(b"k" * 32, ring=PRIVATE_RING, version=version)
            failures = [
                failure_of(lambda: vault_of(vault, "hvs.wrong").unwrap(
                    wrapped, ring=PRIVATE_RING, version=version)),
                failure_of(lambda: vault_of(vault).unwrap(
                    wrapped, ring=FIELD_RING, version=version)),
            ]  # fmt: skip
        failures.append(
            failure_of(lambda: vault_of(vault).unwrap(wrapped, ring=PRIVATE_RING, version=version))
        )
        credential = account.credentials.get()
        failures += [
            failure_of(
                lambda: open_sealed(credential.sealed_passphrase, credential.context("secret"))
            ),
            failure_of(
                lambda: get_adapter().decrypt(get_adapter().encrypt(SEED)[:-8] + "AAAAAAA=")
            ),
        ]
        logging.getLogger("foundation").error("ring %s token %s", ring, TOKEN)

        assert len(failures) == 5
        assert Mail.objects.exists()
        assert told.status_code == 400
        assert_silent([page.content.decode(), told.content.decode(), *failures])
        assert_silent(every_text_in_the_database())
        assert_silent(every_value_in_redis())
        assert_silent([text_written(record) for record in caplog.records])

    def test_an_operators_page_does_not_even_show_the_sealed_value(self, client, memory_venue):
        credential = connect(people.make_person()).credentials.get()
        people.sign_in_operator(client)

        page = client.get(reverse("admin:exchanges_credential_change", args=[credential.pk]))

        shown = page.content.decode().lower()
        assert "sealed api key" not in shown
        assert "sealed secret" not in shown
