"""What a bought subscription still does in the three days after its end."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.models import Mail, Notification
from billing.events import SUBSCRIPTION_ENDED
from billing.models import Subscription
from billing.selectors.entitlements import entitled_owners, is_entitled, retained_owners
from billing.services import subscriptions
from foundation.audit import Actor
from tests.billing.buying import NOW, buy, events_called, give_back, make_price
from tests.factories import billing as factory
from tests.factories.accounts import make_person

pytestmark = pytest.mark.django_db

PRO = "plan:pro"
END = NOW.replace(month=4)
HOUR = timedelta(hours=1)


@pytest.fixture
def person():
    person = make_person()
    buy(person, make_price())
    return person


def standing(person, now):
    return entitled_owners(PRO, [person.pk], now=now), retained_owners(PRO, [person.pk], now=now)


def test_the_right_ends_at_the_end_and_what_runs_goes_on_for_three_days(person):
    ids = {person.pk}

    assert standing(person, END - HOUR) == (ids, ids)
    assert standing(person, END) == (set(), ids)
    assert standing(person, END + 71 * HOUR) == (set(), ids)
    assert standing(person, END + 72 * HOUR) == (set(), set())


def test_the_end_is_carried_out_after_the_grace(person):
    assert subscriptions.expire_due(now=END + 71 * HOUR) == 0
    assert events_called(SUBSCRIPTION_ENDED) == []

    assert subscriptions.expire_due(now=END + 72 * HOUR) == 1

    assert len(events_called(SUBSCRIPTION_ENDED)) == 1
    assert Subscription.objects.get().status == "EXPIRED"


def test_the_person_is_told_once_with_the_way_to_renew(person):
    subscriptions.remind_due(now=END + HOUR)
    subscriptions.remind_due(now=END + 2 * HOUR)

    told = Notification.objects.get(kind="SUBSCRIPTION_EXPIRING")
    assert told.title == "“Pro” has ended"
    assert "Renew it to go on." in told.body
    assert told.path.startswith(f"{reverse('billing:checkout')}?price=")
    assert Mail.objects.filter(kind="subscription_expiring").count() == 1


def test_a_reminder_before_the_end_leads_to_the_order(person, client):
    subscriptions.remind_due(now=END - timedelta(days=3))

    told = Notification.objects.get(kind="SUBSCRIPTION_EXPIRING")
    client.force_login(person)
    assert "Renew it to go on." in told.body
    assert "Order and pay" in client.get(told.path).content.decode()


def test_who_renews_in_time_goes_on_from_then(person):
    buy(person, make_price(), now=END + 10 * HOUR)

    subscription = Subscription.objects.get()
    assert subscription.ends_at == END.replace(month=5) + 10 * HOUR
    assert is_entitled(person.pk, PRO, now=END + 11 * HOUR)
    assert subscriptions.expire_due(now=END + 80 * HOUR) == 0


def test_who_canceled_has_no_grace(person):
    subscription = Subscription.objects.get()
    subscriptions.cancel(
        owner=person, public_id=subscription.public_id, by=Actor.person(person.pk), now=NOW
    )

    assert standing(person, END) == (set(), set())
    assert subscriptions.expire_due(now=END) == 1


def test_what_was_given_back_has_no_grace():
    person = make_person()
    payment = buy(person, make_price())
    give_back(payment, now=NOW + HOUR)

    assert standing(person, NOW + 2 * HOUR) == (set(), set())


def test_what_an_operator_gave_has_no_grace():
    person = make_person()
    make_price()
    factory.give(person, PRO, now=NOW)

    assert standing(person, END) == (set(), set())
