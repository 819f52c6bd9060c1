"""The report of the day: empty as it should be, or what is wrong in words."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pgtrigger
import pytest

from market.enums import Leg, OrderStatus, Side
from market.errors import VenueUnavailableError
from trading.models import Fill, Order, ReconciliationReport
from trading.services import reconciliation

pytestmark = pytest.mark.django_db


@pytest.fixture
def morning(desk) -> datetime:
    """The first time after *now* at which the report of a day is due."""
    desk.reconcile()
    due = datetime.combine(desk.now.date(), datetime.min.time(), tzinfo=UTC)
    due += timedelta(hours=3, minutes=10)
    return due if due > desk.now else due + timedelta(days=1)


def codes(when: datetime) -> list[str]:
    reconciliation.report_daily(now=when)
    return [each["code"] for each in ReconciliationReport.objects.get(day=when.date()).findings]


def test_it_is_empty_where_all_is_well_and_made_once_a_day(desk, morning):
    desk.enter()
    desk.reconcile()

    assert reconciliation.report_daily(now=morning - timedelta(seconds=1)) == 0
    assert codes(morning) == []
    assert reconciliation.report_daily(now=morning + timedelta(minutes=5)) == 0


def test_a_venue_that_does_not_answer_is_asked_again_for_it(desk, morning):
    desk.venue.next_question(raises=VenueUnavailableError())
    reconciliation.report_daily(now=morning)
    assert not ReconciliationReport.objects.exists()

    assert codes(morning + timedelta(minutes=5)) == []


def test_it_names_what_the_loops_have_missed(desk, morning):
    first = desk.enter()
    desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
    desk.submit()
    second = desk.order(Leg.EXIT)
    with pgtrigger.ignore("trading.Order:lawful_steps", "trading.Fill:append_only"):
        Order.objects.filter(pk=first.pk).update(filled_quantity=Decimal("0.05"))
        Order.objects.filter(pk=second.pk).update(
            status=OrderStatus.MANUAL_REVIEW, next_check_at=None
        )
        Fill.objects.filter(order=second).update(venue_trade_id="nobody-knows")

    found = codes(morning)

    assert {"sum_differs", "stuck", "fill_not_listed", "fill_missed"} <= set(found)
