"""Subscriptions: begun, extended, canceled, taken away and given back."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import ProgrammingError, transaction

from accounts.models import User
from billing.models import Grant, GrantSource, Subscription, SubscriptionStatus
from billing.selectors import entitlements
from billing.selectors.products import ProductNotFoundError
from billing.selectors.subscriptions import SubscriptionNotFoundError
from billing.services import products, subscriptions
from foundation.audit import Actor
from foundation.models import AuditEntry, OutboxEvent
from tests.factories import billing as factory
from tests.factories.accounts import make_person
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CODE = "strategy:ema-crossover"
FEBRUARY = datetime(2026, 2, 28, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _catalogue(db: None) -> None:
    make_catalogue()


@pytest.fixture
def person(db: None) -> User:
    """Somebody without any subscription."""
    return make_person()


def events() -> list[tuple[str, str]]:
    """Return the last word and the product of every event of billing, oldest first."""
    rows = OutboxEvent.objects.filter(name__startswith="billing.").order_by("pk")
    return [(row.name.rpartition("-")[2], row.payload["product_code"]) for row in rows]


def is_entitled(person: User, *, now: datetime = NOW) -> bool:
    return entitlements.is_entitled(person.pk, CODE, now=now)


def cancel(person: User, subscription: Subscription, *, now: datetime = NOW) -> Subscription:
    return subscriptions.cancel(
        owner=person, public_id=subscription.public_id, by=Actor.person(person.pk), now=now
    )


class TestSubscribe:
    def test_a_strategy_without_a_price_is_free_and_has_no_end(self, person):
        subscription = factory.subscribe(person, now=NOW)

        assert (subscription.status, subscription.ends_at) == (SubscriptionStatus.ACTIVE, None)
        grant = subscription.grants.get()
        assert (grant.source, grant.from_at, grant.to_at) == (GrantSource.FREE, NOW, None)
        assert (grant.owner, grant.actor_kind) == (person, "person")
        assert is_entitled(person)
        assert is_entitled(person, now=NOW + timedelta(days=10_000))
        assert events() == [("started", CODE)]

    def test_a_repeat_changes_nothing(self, person):
        first = factory.subscribe(person, now=NOW)
        second = factory.subscribe(person, now=NOW + timedelta(days=3))

        assert first == second
        assert second.version == first.version
        assert Grant.objects.count() == 1
        assert events() == [("started", CODE)]

    def test_what_has_a_price_asks_for_payment(self, person):
        factory.set_price(now=NOW)

        with pytest.raises(subscriptions.PriceToPayError) as failure:
            factory.subscribe(person, now=NOW)

        assert (failure.value.code, failure.value.status) == ("payment_required", 402)
        assert not Subscription.objects.exists()

    def test_a_price_that_comes_later_takes_nothing_away(self, person):
        factory.subscribe(person, now=NOW)
        factory.set_price(now=NOW)

        assert factory.subscribe(person, now=NOW + timedelta(days=1)).ends_at is None

    @pytest.mark.parametrize("code", ["plan:free", "plan:pro"])
    def test_a_plan_is_not_subscribed_to_by_oneself(self, person, code):
        products.sync_plans(now=NOW)

        with pytest.raises(subscriptions.NotOnOfferError):
            subscriptions.subscribe(
                owner=person, product_code=code, by=Actor.person(person.pk), now=NOW
            )

    def test_what_is_withdrawn_is_not_on_offer(self, person):
        with transaction.atomic():
            factory.make_strategy_product("ema-crossover", name="EMA", is_active=False)

        with pytest.raises(subscriptions.NotOnOfferError):
            factory.subscribe(person, now=NOW)

    def test_there_is_no_right_to_what_does_not_exist(self, person):
        with pytest.raises(ProductNotFoundError, match="perpetuum-mobile"):
            factory.subscribe(person, "perpetuum-mobile", now=NOW)
        assert not entitlements.is_entitled(person.pk, "strategy:perpetuum-mobile", now=NOW)

    def test_one_that_was_canceled_begins_again(self, person):
        subscription = factory.subscribe(person, now=NOW)
        cancel(person, subscription)
        later = NOW + timedelta(days=1)

        again = factory.subscribe(person, now=later)

        assert again == subscription
        assert (again.status, again.started_at, again.ends_at) == ("ACTIVE", later, None)
        assert again.ended_at is None
        assert [word for word, _ in events()] == ["started", "ended", "started"]

    def test_the_same_request_after_a_cancellation_is_still_the_same_request(self, person):
        by = Actor.person(person.pk)
        request = {"owner": person, "product_code": CODE, "request_key": "a", "by": by}
        subscription = subscriptions.subscribe(**request, now=NOW)
        cancel(person, subscription)

        repeated = subscriptions.subscribe(**request, now=NOW + timedelta(minutes=1))

        assert repeated.status == SubscriptionStatus.CANCELED
        assert Grant.objects.count() == 1


class TestGrant:
    def test_months_are_of_the_calendar(self, person):
        subscription = factory.give(person, now=NOW)

        assert (subscription.started_at, subscription.ends_at) == (NOW, FEBRUARY)
        assert is_entitled(person, now=FEBRUARY - timedelta(microseconds=1))
        assert not is_entitled(person, now=FEBRUARY)

    def test_time_is_added_at_the_end_while_it_runs(self, person):
        factory.give(person, now=NOW)

        subscription = factory.give(person, months=2, now=NOW + timedelta(days=3))

        assert subscription.ends_at == datetime(2026, 4, 28, 12, tzinfo=UTC)
        assert subscription.started_at == NOW
        assert [grant.from_at for grant in subscription.grants.order_by("pk")] == [NOW, FEBRUARY]
        assert events() == [("started", CODE)]

    def test_after_the_end_time_begins_now(self, person):
        factory.give(person, now=NOW)
        later = FEBRUARY + timedelta(days=40)

        subscription = factory.give(person, now=later)

        assert (subscription.started_at, subscription.status) == (later, "ACTIVE")
        assert subscription.ends_at == datetime(2026, 5, 9, 12, tzinfo=UTC)

    def test_the_same_request_gives_once(self, person):
        first = factory.give(person, now=NOW, request_key="order-7")
        second = factory.give(person, now=NOW + timedelta(days=1), request_key="order-7")

        assert first.ends_at == second.ends_at == FEBRUARY
        assert Grant.objects.count() == 1

    def test_without_months_there_is_no_end(self, person):
        factory.give(person, now=NOW)

        subscription = factory.give(person, months=None, now=NOW)

        assert subscription.ends_at is None
        assert factory.give(person, months=None, now=NOW).version == subscription.version

    def test_nothing_can_be_added_to_what_has_no_end(self, person):
        factory.subscribe(person, now=NOW)

        with pytest.raises(subscriptions.NoEndToExtendError):
            factory.give(person, now=NOW)

    @pytest.mark.parametrize("months", [0, -3, 121])
    def test_a_length_has_bounds(self, person, months):
        with pytest.raises(subscriptions.InvalidMonthsError) as failure:
            factory.give(person, months=months, now=NOW)

        assert failure.value.problems[0].field == "months"

    def test_a_priced_strategy_can_be_granted(self, person):
        factory.set_price(now=NOW)

        factory.give(person, now=NOW)

        assert is_entitled(person)

    def test_it_leaves_a_grant_and_an_audit_row(self, person):
        subscription = subscriptions.grant(
            owner_id=person.pk,
            product_code=CODE,
            months=1,
            note="  A gift  ",
            by=factory.STAFF,
            now=NOW,
        )

        grant = subscription.grants.get()
        assert (grant.source, grant.note, grant.owner) == (GrantSource.STAFF, "A gift", person)
        assert grant.actor_identifier == factory.STAFF.identifier
        entry = AuditEntry.objects.get(verb="subscription.granted")
        assert entry.owner == person
        assert entry.detail["product"] == CODE
        assert entry.detail["to_at"] == FEBRUARY.isoformat()

    def test_a_grant_is_never_changed(self, person):
        factory.give(person, now=NOW)

        with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
            Grant.objects.update(note="Another reason")


class TestCancel:
    def test_a_free_one_ends_now(self, person):
        subscription = cancel(person, factory.subscribe(person, now=NOW))

        assert (subscription.status, subscription.ended_at) == ("CANCELED", NOW)
        assert not is_entitled(person)
        assert events() == [("started", CODE), ("ended", CODE)]

    def test_one_with_an_end_runs_until_then(self, person):
        subscription = cancel(person, factory.give(person, now=NOW))

        assert (subscription.status, subscription.ends_at) == ("CANCELED", FEBRUARY)
        assert subscription.ended_at is None
        assert is_entitled(person, now=FEBRUARY - timedelta(seconds=1))
        assert events() == [("started", CODE)]

    def test_a_repeat_changes_nothing(self, person):
        subscription = cancel(person, factory.subscribe(person, now=NOW))

        again = cancel(person, subscription, now=NOW + timedelta(days=1))

        assert (again.ended_at, again.version) == (NOW, subscription.version)
        assert len(events()) == 2

    def test_time_that_is_left_can_be_taken_up_again(self, person):
        factory.set_price(now=NOW)
        cancel(person, factory.give(person, now=NOW))

        subscription = factory.subscribe(person, now=NOW + timedelta(days=1))

        assert (subscription.status, subscription.ends_at) == ("ACTIVE", FEBRUARY)
        assert Grant.objects.count() == 1

    def test_a_renewal_undoes_it(self, person):
        cancel(person, factory.give(person, now=NOW))

        subscription = factory.give(person, now=NOW + timedelta(days=1))

        assert subscription.status == SubscriptionStatus.ACTIVE
        assert subscription.ends_at == datetime(2026, 3, 28, 12, tzinfo=UTC)

    def test_what_is_over_cannot_be_canceled(self, person):
        subscription = factory.give(person, now=NOW)

        with pytest.raises(subscriptions.SubscriptionOverError):
            cancel(person, subscription, now=FEBRUARY)

    def test_somebody_elses_is_not_found(self, person):
        subscription = factory.subscribe(make_person("mallory@example.com"), now=NOW)

        with pytest.raises(SubscriptionNotFoundError):
            cancel(person, subscription)


class TestDeactivate:
    def deactivate(self, subscription, *, now=NOW):
        return subscriptions.deactivate(
            subscription_id=subscription.pk, by=factory.STAFF, now=now, note="Abuse"
        )

    def reactivate(self, subscription, *, now=NOW):
        return subscriptions.reactivate(subscription_id=subscription.pk, by=factory.STAFF, now=now)

    def test_it_ends_the_right_now_and_keeps_the_time(self, person):
        subscription = self.deactivate(factory.give(person, now=NOW))

        assert (subscription.ended_at, subscription.ends_at) == (NOW, FEBRUARY)
        assert not is_entitled(person)
        assert events() == [("started", CODE), ("ended", CODE)]
        assert AuditEntry.objects.get(verb="subscription.deactivated").detail["note"] == "Abuse"

    def test_a_repeat_changes_nothing(self, person):
        subscription = self.deactivate(factory.give(person, now=NOW))

        assert self.deactivate(subscription).version == subscription.version
        assert len(events()) == 2

    @pytest.mark.parametrize("deed", ["subscribe", "grant", "cancel"])
    def test_only_an_operator_gives_it_back(self, person, deed):
        subscription = self.deactivate(factory.subscribe(person, now=NOW))
        deeds = {
            "subscribe": lambda: factory.subscribe(person, now=NOW),
            "grant": lambda: factory.give(person, now=NOW),
            "cancel": lambda: cancel(person, subscription),
        }

        with pytest.raises(subscriptions.SubscriptionDeactivatedError):
            deeds[deed]()

    def test_what_is_given_back_runs_until_its_end(self, person):
        subscription = self.deactivate(factory.give(person, now=NOW))

        again = self.reactivate(subscription, now=NOW + timedelta(days=1))

        assert (again.status, again.ends_at, again.ended_at) == ("ACTIVE", FEBRUARY, None)
        assert is_entitled(person, now=NOW + timedelta(days=1))
        assert [word for word, _ in events()] == ["started", "ended", "started"]
        assert self.reactivate(again).version == again.version

    def test_what_ended_meanwhile_is_expired_and_can_be_granted(self, person):
        subscription = self.deactivate(factory.give(person, now=NOW))

        again = self.reactivate(subscription, now=FEBRUARY)

        assert again.status == SubscriptionStatus.EXPIRED
        assert not is_entitled(person, now=FEBRUARY)
        assert factory.give(person, now=FEBRUARY).status == SubscriptionStatus.ACTIVE

    def test_what_is_over_is_not_taken_away(self, person):
        subscription = factory.give(person, now=NOW)

        with pytest.raises(subscriptions.SubscriptionOverError):
            self.deactivate(subscription, now=FEBRUARY)

    def test_what_does_not_exist_is_not_found(self):
        with pytest.raises(SubscriptionNotFoundError):
            subscriptions.deactivate(subscription_id=0, by=factory.STAFF, now=NOW)
