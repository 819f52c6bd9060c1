"""A key is tested by a signed call over HTTP, from the sealed row to the recorded balances."""

import secrets
import socket

import pytest
from django.utils import timezone

from exchanges.models import ExchangeAccount
from exchanges.services import account_tests
from tests.exchanges.accounts.connecting import connect, reread
from tests.exchanges.simulator.running import RawClient, SimulatorProcess
from tests.factories import exchanges as factory

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db]


@pytest.fixture(scope="module")
def simulator():
    with SimulatorProcess() as running:
        yield running


@pytest.fixture
def venue(db, simulator):
    return factory.make_venue("simulator", api_url=simulator.url, takes_live_accounts=True)


def open_account(simulator, permissions=("READ", "TRADE")):
    key, secret = secrets.token_hex(16), secrets.token_hex(16)
    raw = RawClient(simulator.url)
    document = {"api_key": key, "secret": secret, "permissions": list(permissions)}
    status, answer = raw.admin(
        "POST", "/simulator/accounts", {**document, "balances": {"USDT": "1234.5"}}
    )
    raw.close()
    assert status == 201, answer
    return {"api_key": key, "secret": secret}


def connect_and_test(owner, **keys) -> ExchangeAccount:
    account = connect(owner, venue_code="simulator", **keys)
    account_tests.run_test(account_id=account.pk, clock=timezone.now)
    return reread(account)


def test_a_good_key_connects_and_brings_its_balances(ada, venue, simulator):
    account = connect_and_test(ada, **open_account(simulator))

    assert (account.status, account.status_message) == ("ACTIVE", "")
    assert [(b.currency, str(b.free.normalize())) for b in account.balances.all()] == [
        ("USDT", "1234.5")
    ]


def test_a_key_that_can_withdraw_is_refused(ada, venue, simulator):
    account = connect_and_test(ada, **open_account(simulator, ("READ", "TRADE", "WITHDRAW")))

    assert (account.status, account.status_code) == ("INVALID", "withdraw_enabled")


def test_a_key_that_may_only_read_is_refused(ada, venue, simulator):
    account = connect_and_test(ada, **open_account(simulator, ("READ",)))

    assert (account.status, account.status_code) == ("INVALID", "trading_not_allowed")


def test_a_swapped_key_and_secret_are_refused(ada, venue, simulator):
    keys = open_account(simulator)

    account = connect_and_test(ada, api_key=keys["secret"], secret=keys["api_key"])

    assert (account.status, account.status_code) == ("INVALID", "credential_rejected")


def test_a_wrong_secret_is_refused(ada, venue, simulator):
    account = connect_and_test(ada, **(open_account(simulator) | {"secret": secrets.token_hex(16)}))

    assert (account.status, account.status_code) == ("INVALID", "credential_rejected")


def test_an_exchange_that_is_down_is_not_the_keys_fault(ada, venue, simulator):
    keys = open_account(simulator)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        type(venue).objects.update(api_url=f"http://127.0.0.1:{unused.getsockname()[1]}")

        account = connect_and_test(ada, **keys)

    assert (account.status, account.status_code) == ("PENDING", "venue_unavailable")
    assert "cannot be reached" in account.status_message
