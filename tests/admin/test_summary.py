"""What operators see first."""

from datetime import timedelta
from uuid import uuid4

import pgtrigger
import pytest
from django.urls import reverse
from django.utils import timezone
from redis import Redis

from accounts.models import Mail, User
from exchanges.adapters.budget_store import SharedBudget
from exchanges.domain.breakers import BreakerTerms
from exchanges.domain.budgets import Limit, Ticket
from exchanges.domain.priorities import CallPriority
from exchanges.models import AccountKind
from foundation.models import Heartbeat, OutboxEvent
from market.enums import OrderStatus
from tests.admin.rows import HOSTILE, make_rows
from tests.factories import billing, trading
from tests.factories.accounts import make_person, sign_in_operator
from tests.factories.strategies import make_catalogue
from tests.trading.rows import make_traded_deployment
from trading.models import Deployment, Order, ReconciliationReport
from web.views.health import expected_processes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_of_other_tests(settings):
    # Budgets of venues that are banned, and messages that nobody fetched.
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()


@pytest.fixture
def summary(client):
    """Ask for the page as an operator; returns its text."""
    sign_in_operator(client)

    def text() -> str:
        answer = client.get(reverse("admin:index"))
        assert answer.status_code == 200
        return str(answer.text)

    return text


def everything_beats() -> None:
    """Have every process give a sign of life now."""
    for process in expected_processes():
        Heartbeat.objects.update_or_create(process=process, defaults={"beat_at": timezone.now()})


class TestFigures:
    def test_an_empty_installation_says_so(self, summary):
        everything_beats()

        shown = summary()

        for words in (
            "Everything is in order.",
            "Nobody has deployed anything yet.",
            "The catalogue is empty",
            "None.",
        ):
            assert words in shown

    def test_it_counts_what_there_is(self, client, summary):
        make_rows()

        client.get(reverse("admin:index"))
        page = client.get(reverse("admin:index")).context["page"]

        people = {tile.label: tile.value for tile in page.tiles}
        assert people["People"] == User.objects.count()
        assert people["Active deployments"] == 1
        assert people["Subscriptions"] >= 2
        assert people["Backtests today"] == 0
        [line] = [each for each in page.figures.strategies if each.deployments]
        assert (line.running, line.deployments) == (1, 1)
        assert line.subscriptions == 1

    def test_names_are_shown_as_text(self, summary):
        make_rows()

        shown = summary()

        assert HOSTILE not in shown
        assert "&lt;img" in shown

    def test_findings_of_the_daily_reports_are_named(self, summary):
        make_rows()
        account = Deployment.objects.get().account
        finding = {"code": "stuck", "about": "order-7", "text": "It has been UNKNOWN for too long."}
        today = timezone.now()
        for days, found in ((0, [finding, finding]), (1, []), (3, [finding])):
            ReconciliationReport.objects.create(
                owner=account.owner,
                account=account,
                day=(today - timedelta(days=days)).date(),
                made_at=today,
                finding_count=len(found),
                findings=found,
            )

        shown = summary()

        assert "order-7: It has been UNKNOWN for too long. 2 in all." in shown
        assert "The daily reports on accounts name 2 findings." in shown

    def test_deeds_name_who_did_them(self, client, summary):
        person = make_person("grace@example.com")
        billing.with_plan(person)
        make_catalogue()
        billing.subscribe(person, now=timezone.now())

        page = client.get(reverse("admin:index")).context["page"]

        assert ("grace@example.com", "grace@example.com") in {
            (deed.actor, deed.concerns) for deed in page.figures.deeds
        }

    def test_subscriptions_that_end_soon_are_named(self, summary):
        make_catalogue()
        now = timezone.now()
        soon = make_person("soon@example.com")
        billing.give(soon, "strategy:ema-crossover", now=now - timedelta(days=27))
        later = make_person("later@example.com")
        billing.give(later, "strategy:ema-crossover", months=2, now=now)

        shown = summary().partition("Recent activity")[0]

        assert "soon@example.com" in shown
        assert "later@example.com" not in shown


class TestConcerns:
    def test_orders_that_a_person_has_to_look_at_come_first(self, summary):
        traded = make_traded_deployment(make_person(), kind=AccountKind.LIVE)
        orders = Order.objects.filter(deployment=traded.deployment).order_by("pk")
        first, second = orders[0], orders[1]
        trading.put_under_review(first, now=traded.now)
        with pgtrigger.ignore("trading.Order:lawful_steps"):
            Order.objects.filter(pk=second.pk).update(status=OrderStatus.UNKNOWN)

        shown = summary()

        assert "1 order waits for a person to look." in shown
        assert "The outcome of 1 order is not learnt" in shown
        assert "status__exact=MANUAL_REVIEW" in shown

    def test_a_deployment_in_trouble(self, summary):
        make_traded_deployment(make_person())
        Deployment.objects.update(health="DEGRADED")

        assert "1 deployment needs attention." in summary()

    def test_a_process_that_is_silent(self, summary):
        everything_beats()
        Heartbeat.objects.filter(process="worker-orders").update(
            beat_at=timezone.now() - timedelta(minutes=2)
        )
        Heartbeat.objects.filter(process="beat").delete()

        assert "No sign of life from beat, worker-orders." in summary()

    def test_work_that_waits_too_long(self, summary):
        long_ago = timezone.now() - timedelta(hours=3)
        person = make_person()
        mail = Mail.objects.create(
            owner=person, recipient=person.email, kind="verify_address", not_before=long_ago
        )
        Mail.objects.filter(pk=mail.pk).update(created_at=long_ago)
        event = OutboxEvent.objects.create(name="x", occurred_at=long_ago)
        OutboxEvent.objects.filter(pk=event.pk).update(recorded_at=long_ago)

        shown = summary()

        assert "1 events wait, for 3 h" in shown
        assert "1 mails wait, for 3 h" in shown

    def test_budgets_of_calls_and_a_venue_that_refuses_us(self, summary):
        venue = SharedBudget(f"binance at venue-{uuid4().hex[:6]}.example | default")
        call = Ticket(1, CallPriority.ENTRY, 7, "ada")
        venue.poll(Limit(3_600, 60_000), tickets=[call])
        before = summary()
        venue.report(BreakerTerms(60_000, 20, 30_000, 600_000), ok=0, bad=0, ban_ms=90_000)

        after = summary()

        assert "Calls to exchanges" in before
        assert "3,600" in before
        assert "refuses calls from here" not in before
        assert f"{venue._lane} refuses calls from here for 1 min" in after

    def test_a_broker_that_is_away_does_not_take_the_page_with_it(self, summary, settings):
        settings.REDIS_URL = "redis://127.0.0.1:9/0"

        shown = summary()

        assert "The broker of the queues does not answer." in shown


class TestSize:
    def test_ten_thousand_people_take_as_many_queries_as_none(
        self, client, summary, django_assert_num_queries
    ):
        summary()
        with django_assert_num_queries(20) as few:
            summary()
        User.objects.bulk_create(
            User(email=f"person-{number}@example.com", password="!") for number in range(10_000)
        )

        with django_assert_num_queries(len(few.captured_queries)):
            shown = summary()

        assert "10,001" in shown

    def test_the_list_of_ten_thousand_people_pages_without_counting_them_all_twice(
        self, client, summary
    ):
        User.objects.bulk_create(
            User(email=f"person-{number}@example.com", password="!") for number in range(10_500)
        )

        answer = client.get(reverse("admin:accounts_user_changelist"), {"p": "3"})

        assert answer.status_code == 200
        assert answer.context["cl"].result_count == 10_000
        found = client.get(reverse("admin:accounts_user_changelist"), {"q": "person-10499@"})
        assert "person-10499@example.com" in found.text


def test_staff_without_the_audit_log_see_the_menu_alone(client):
    helper = make_person("helper@example.com", is_staff=True)
    sign_in_operator(client, helper)

    answer = client.get(reverse("admin:index"))

    assert answer.status_code == 200
    assert "page" not in answer.context
