"""Many accounts served together: what happens to one does not happen to the others."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exchanges.models import AccountKind, Balance
from exchanges.services import leases
from market.enums import Leg, OrderStatus
from tests.factories import accounts as people
from tests.factories import trading as factory
from trading.models import (
    Deployment,
    DeploymentPosition,
    Health,
    IntentStatus,
    Order,
    OrderIntent,
)
from trading.services import preparation, submission

pytestmark = pytest.mark.django_db


@dataclass
class Crowd:
    """Several people's deployments at one venue, each with a decision to enter."""

    venue: object
    deployments: list[Deployment]
    now: datetime

    def submit(self) -> int:
        return submission.submit_due_intents(now=self.now)

    def count(self, leg: Leg) -> Counter[str]:
        found = Order.objects.filter(leg=leg.value)
        return Counter(found.values_list("status", flat=True))


@pytest.fixture
def crowd_of(memory_venue, instrument, now):
    def make(count: int) -> Crowd:
        deployments = []
        for number in range(count):
            owner = people.make_person(f"person{number}@example.com")
            account = factory.make_account(
                owner, instrument, kind=AccountKind.LIVE, now=now, reconciled_at=now
            )
            deployments.append(factory.make_deployment(account, now=now))
        for each in deployments:
            factory.make_intent(each, instrument, now=now)
        return Crowd(memory_venue, deployments, now)

    return make


def test_each_answer_settles_its_own_order(crowd_of):
    crowd = crowd_of(5)
    crowd.venue.next_submit()
    crowd.venue.next_submit(rejects_with="insufficient_balance")
    crowd.venue.next_submit(times_out=True, but_is_accepted=True)
    crowd.venue.next_submit(is_not_sent=True)
    crowd.venue.next_submit(parts=3)

    crowd.submit()

    assert crowd.count(Leg.ENTRY) == {
        OrderStatus.FILLED: 2,
        OrderStatus.REJECTED: 1,
        OrderStatus.UNKNOWN: 1,
        OrderStatus.DENIED: 1,
    }
    assert crowd.count(Leg.STOP) == {OrderStatus.ACCEPTED: 2}
    held = DeploymentPosition.objects.exclude(quantity=0)
    assert [(row.quantity, row.stop_price) for row in held] == [
        (Decimal("0.0999"), Decimal(39_200))
    ] * 2


def test_chunks_follow_one_another_until_everybody_is_served(crowd_of, monkeypatch):
    monkeypatch.setattr(submission, "ACCOUNTS_AT_ONCE", 2)
    crowd = crowd_of(5)

    assert crowd.submit() == 10

    assert crowd.count(Leg.ENTRY) == {OrderStatus.FILLED: 5}
    assert crowd.count(Leg.STOP) == {OrderStatus.ACCEPTED: 5}


def test_the_first_orders_do_not_wait_for_a_whole_chunk_to_be_prepared(crowd_of, monkeypatch):
    monkeypatch.setattr(submission, "FIRST_ACCOUNTS", 1)
    monkeypatch.setattr(submission, "ACCOUNTS_AT_ONCE", 3)
    crowd, sizes = crowd_of(7), []
    claim = leases.claim_accounts

    def counted(**arguments):
        sizes.append(len(arguments["account_ids"]))
        return claim(**arguments)

    monkeypatch.setattr(leases, "claim_accounts", counted)

    crowd.submit()

    assert sizes == [1, 2, 3, 1]
    assert crowd.count(Leg.ENTRY) == {OrderStatus.FILLED: 7}


def test_accounts_are_prepared_with_as_many_statements_as_one(crowd_of, monkeypatch):
    crowd, counts = crowd_of(6), []
    prepare = preparation.prepare

    def counted(**arguments):
        with CaptureQueriesContext(connection) as queries:
            prepared = prepare(**arguments)
        counts.append((len(arguments["held"]), len(queries)))
        return prepared

    monkeypatch.setattr(preparation, "prepare", counted)
    few, monkey = crowd.deployments[0], submission.ACCOUNTS_AT_ONCE
    assert monkey >= 6
    monkeypatch.setattr(submission, "ACCOUNTS_AT_ONCE", 1)
    crowd.submit()
    of_one = counts[0]
    for each in crowd.deployments:
        factory.make_intent(each, few.instruments.get().instrument, now=crowd.now, key="again")
    monkeypatch.setattr(submission, "ACCOUNTS_AT_ONCE", 6)
    counts.clear()
    crowd.submit()

    assert (of_one[0], counts[0][0]) == (1, 6)
    assert counts[0][1] <= of_one[1]


def test_a_remembered_balance_is_believed_and_a_no_is_asked_again(crowd_of, monkeypatch):
    crowd = crowd_of(2)
    rich, poor = (each.account for each in crowd.deployments)
    for account, free in ((rich, 90_000), (poor, 1)):
        Balance.objects.create(
            owner=account.owner, account=account, currency="USDT", free=free, used=0,
            venue_at=crowd.now,
        )  # fmt: skip

    crowd.submit()

    # The venue was asked for the second one, which has 100,000 there.
    assert crowd.count(Leg.ENTRY) == {OrderStatus.FILLED: 2}
    assert Balance.objects.get(account=poor, currency="USDT").free == 100_000
    assert Balance.objects.get(account=rich, currency="USDT").free == 90_000


def test_an_account_that_cannot_be_prepared_keeps_no_other_waiting(crowd_of):
    crowd = crowd_of(3)
    broken = crowd.deployments[1]
    OrderIntent.objects.filter(deployment=broken).update(order_type="?")

    crowd.submit()

    assert crowd.count(Leg.ENTRY) == {OrderStatus.FILLED: 2}
    assert crowd.count(Leg.STOP) == {OrderStatus.ACCEPTED: 2}
    assert submission.due_accounts(now=crowd.now) == []
    broken.refresh_from_db()
    assert (broken.health, broken.health_code) == (Health.DEGRADED, "internal_error")
    intent = OrderIntent.objects.get(deployment=broken)
    assert intent.status == IntentStatus.NEW
    OrderIntent.objects.filter(deployment=broken).update(order_type="MARKET")
    crowd.now = intent.not_before

    crowd.submit()

    assert crowd.count(Leg.ENTRY) == {OrderStatus.FILLED: 3}
