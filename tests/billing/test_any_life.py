"""Whatever happens to a subscription in whatever order: the right is what a plain reference says it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from billing.domain.periods import add_months
from billing.models import Subscription
from billing.selectors import entitlements
from billing.services import subscriptions
from foundation.audit import Actor
from foundation.models import OutboxEvent
from market.errors import PlatformError
from tests.factories import billing as factory
from tests.factories.accounts import make_person
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
CODE = "strategy:ema-crossover"
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["subscribe", "grant", "cancel", "deactivate", "reactivate", "expire", "remind"]
        ),
        st.sampled_from([0, 0, 1, 20, 31, 70]),
        st.integers(1, 3),
    ),
    max_size=14,
)
_numbers = count()


@dataclass
class Reference:
    """The same life in a few plain rules; each returns whether it is allowed."""

    ends_at: datetime = START
    is_canceled: bool = False
    is_deactivated: bool = False

    def entitles(self, now: datetime) -> bool:
        return not self.is_deactivated and self.ends_at > now

    def subscribe(self, now: datetime, months: int) -> bool:
        if not self.is_deactivated:
            if not self.entitles(now):
                self.ends_at = NEVER
            self.is_canceled = False
        return not self.is_deactivated

    def grant(self, now: datetime, months: int) -> bool:
        if self.is_deactivated or self.ends_at == NEVER:
            return False
        self.ends_at = add_months(max(now, self.ends_at), months)
        self.is_canceled = False
        return True

    def cancel(self, now: datetime, months: int) -> bool:
        if self.is_deactivated or not (self.is_canceled or self.entitles(now)):
            return False
        self.is_canceled = True
        self.ends_at = now if self.ends_at == NEVER else self.ends_at
        return True

    def deactivate(self, now: datetime, months: int) -> bool:
        is_allowed = self.is_deactivated or self.entitles(now)
        self.is_deactivated = is_allowed
        return is_allowed

    def reactivate(self, now: datetime, months: int) -> bool:
        if self.is_deactivated:
            self.is_deactivated = self.is_canceled = False
        return True

    def expire(self, now: datetime, months: int) -> bool:
        return True

    remind = expire


def deeds_of(person: User) -> dict[str, Callable[[datetime, int], object]]:
    """Return what can happen to the person's subscription; without a row some of it fails as not found."""
    by = Actor.person(person.pk)

    def row() -> Subscription:
        return Subscription.objects.get(owner=person)

    return {
        "subscribe": lambda now, months: factory.subscribe(person, now=now),
        "grant": lambda now, months: factory.give(person, months=months, now=now),
        "cancel": lambda now, months: subscriptions.cancel(
            owner=person, public_id=row().public_id, by=by, now=now
        ),
        "deactivate": lambda now, months: subscriptions.deactivate(
            subscription_id=row().pk, by=factory.STAFF, now=now
        ),
        "reactivate": lambda now, months: subscriptions.reactivate(
            subscription_id=row().pk, by=factory.STAFF, now=now
        ),
        "expire": lambda now, months: subscriptions.expire_due(now=now),
        "remind": lambda now, months: subscriptions.remind_due(now=now),
    }


def told_of(person: User) -> list[str]:
    """Return the events of the person's subscription, oldest first."""
    rows = OutboxEvent.objects.filter(owner=person, name__startswith="billing.subscription-")
    return [name.rpartition("-")[2] for name in rows.order_by("pk").values_list("name", flat=True)]


@pytest.fixture
def _catalogue(db: None) -> None:
    make_catalogue()


@pytest.mark.usefixtures("_catalogue")
@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first_months=st.integers(1, 3), steps=STEPS)
def test_the_right_is_what_the_reference_says(first_months, steps):
    person = make_person(f"person-{next(_numbers)}@example.com")
    reference, deeds, now = Reference(), deeds_of(person), START
    reference.grant(now, first_months)
    factory.give(person, months=first_months, now=now)

    for deed, days, months in steps:
        now += timedelta(days=days)
        try:
            deeds[deed](now, months)
        except PlatformError:
            was_allowed = False
        else:
            was_allowed = True

        assert was_allowed == getattr(reference, deed)(now, months), deed
        assert entitlements.is_entitled(person.pk, CODE, now=now) == reference.entitles(now)

    subscriptions.expire_due(now=now)
    told = told_of(person)
    # Beginnings and ends take turns, and the last of them says how things stand.
    assert told == (["started", "ended"] * len(told))[: len(told)]
    assert (told[-1] == "started") == reference.entitles(now)
