"""Clients that a worker process keeps: each for one account and one key, and not for long."""

import threading
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from redis import Redis

from exchanges.adapters import factory, loops
from exchanges.adapters.pool import LONGEST_S, ClientPool, Holder
from exchanges.models import ExchangeAccount
from exchanges.services import accounts
from exchanges.tasks.workers import every_so_often
from foundation.audit import Actor
from tests.exchanges.accounts.connecting import connect
from tests.factories import accounts as people
from tests.factories import exchanges as markets

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make() -> Any:
    """Stand in for a client, which the pool only keeps."""
    return object()


def client_of(account: ExchangeAccount) -> Any:
    """Return the client of an account, with all that is inside it."""
    return factory.venue_client(account.pk)


class TestThePool:
    def holder(self, version=1):
        return Holder(uuid4(), version, "https://venue.example")

    def test_it_makes_a_client_once(self):
        pool, holder = ClientPool(), self.holder()

        assert pool.take(holder, make) is pool.take(holder, make)

    @pytest.mark.parametrize("change", ["version", "address"])
    def test_another_key_or_address_is_another_client_and_the_old_one_is_dropped(self, change):
        pool, holder = ClientPool(), self.holder()
        other = Holder(
            holder.account,
            2 if change == "version" else 1,
            "https://elsewhere.example" if change == "address" else holder.address,
        )
        first = pool.take(holder, make)

        assert pool.take(other, make) is not first
        assert len(pool) == 1

    def test_the_longest_unused_goes_first(self, settings):
        settings.VENUE_CLIENTS = 2
        pool, old, used, new = ClientPool(), self.holder(), self.holder(), self.holder()
        kept = [pool.take(each, make) for each in (used, old)]
        pool.take(used, make)
        pool.take(new, make)

        assert pool.take(used, make) is kept[0]
        assert len(pool) == 2
        assert pool.take(old, make) is not kept[1]

    def test_an_open_key_is_kept_for_five_minutes_however_much_it_is_used(self):
        now_s = [0.0]
        pool, holder = ClientPool(clock=lambda: now_s[0]), self.holder()
        first = pool.take(holder, make)
        now_s[0] = LONGEST_S - 1
        assert pool.take(holder, make) is first

        now_s[0] = LONGEST_S
        pool.forget_expired()

        assert len(pool) == 0

    def test_a_process_to_which_no_task_comes_forgets_them_as_well(self):
        now_s, forgotten = [0.0], threading.Event()
        pool = ClientPool(clock=lambda: now_s[0])
        pool.take(self.holder(), make)
        now_s[0] = LONGEST_S

        def forget():
            pool.forget_expired()
            forgotten.set()

        is_over = every_so_often(forget, seconds=0.01)

        assert forgotten.wait(timeout=30)
        is_over.set()
        assert len(pool) == 0

    def test_a_client_of_a_loop_that_has_ended_is_not_used_again(self):
        pool, holder = ClientPool(), self.holder()
        first = pool.take(holder, make)

        loops.close()

        assert pool.take(holder, make) is not first


@pytest.mark.django_db
class TestTheFactory:
    @pytest.fixture
    def owner(self):
        markets.make_venue("simulator", api_url="http://127.0.0.1:9", takes_live_accounts=True)
        return people.make_person()

    def connect(self, owner, key):
        return connect(owner, venue_code="simulator", label=key, api_key=key, secret=f"of-{key}")

    def test_each_account_has_its_own_client_and_keeps_it(self, owner):
        mine = self.connect(owner, "key-of-mine-0123456789")
        other = self.connect(owner, "key-of-other-0123456789")

        clients = [client_of(each) for each in (mine, other, mine)]

        assert clients[0] is clients[2]
        assert clients[0] is not clients[1]
        keys = [each._exchange.apiKey for each in clients[:2]]
        assert keys == ["key-of-mine-0123456789", "key-of-other-0123456789"]

    def test_a_replaced_key_is_used_from_the_next_call_on(self, owner):
        account = self.connect(owner, "key-before-0123456789")
        before = client_of(account)
        accounts.replace_credential(
            owner=owner,
            account_public_id=account.public_id,
            api_key="key-after-0123456789",
            secret="of-key-after-0123456789",
            by=Actor.person(owner.pk),
            now=NOW,
        )

        after = client_of(account)

        assert after is not before
        assert after._exchange.apiKey == "key-after-0123456789"

    def test_a_closed_account_is_forgotten(self, owner):
        account = self.connect(owner, "key-of-mine-0123456789")
        client_of(account)
        kept = len(factory._pool)
        accounts.close_account(
            owner=owner, account_public_id=account.public_id, by=Actor.person(owner.pk), now=NOW
        )

        with pytest.raises(factory.AccountClosedError):
            client_of(account)
        assert len(factory._pool) == kept - 1

    def test_a_client_that_is_closed_after_a_task_serves_the_next_one(self, owner):
        account = self.connect(owner, "key-of-mine-0123456789")
        client = client_of(account)

        loops.run(client.close())

        assert client_of(account) is client
        assert client._exchange.session is not None


@pytest.mark.django_db(transaction=True)
def test_another_thread_gets_a_client_of_its_own(settings):
    markets.make_venue("simulator", api_url="http://127.0.0.1:9", takes_live_accounts=True)
    account = connect(people.make_person(), venue_code="simulator")
    kept, others = client_of(account), []

    def work():

        others.append(client_of(account))
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    with Redis.from_url(settings.REDIS_URL) as redis:
        # The message that asks for a test of the key: nobody works on it here.
        redis.delete("control")

    assert others[0] is not kept
