"""A deployment whose candles do not come says so, its owner is told, and both end by themselves."""

from datetime import timedelta

import pytest

from accounts.models import Notification, NotificationKind
from exchanges.models import CandleFeed
from exchanges.services import watching
from tests.factories import trading as factory
from tests.trading.telling import deliver_events
from trading.models import ActualState, Health
from trading.services import health

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def let_candles_stop(deployment, *, now) -> None:
    """Let the feed of *deployment* be three minutes behind at *now*, and tell of it."""
    CandleFeed.objects.update(
        last_open_at=now - 5 * MINUTE, failures=3, last_error="venue_timeout: No answer."
    )
    assert watching.watch_feeds(now=now) == 1
    deliver_events(now=now)
    deployment.refresh_from_db()


def let_candles_come(deployment, *, now) -> None:
    CandleFeed.objects.update(last_open_at=now - MINUTE, failures=0, answered_at=now)
    assert watching.watch_feeds(now=now) == 0
    deliver_events(now=now)
    deployment.refresh_from_db()


def test_those_who_depend_on_the_candles_are_told(live_deployment, live_account, now):
    slow = factory.make_deployment(live_account, now=now, timeframe="1d", name="Slow")

    let_candles_stop(live_deployment, now=now)

    assert live_deployment.health == Health.DEGRADED
    assert live_deployment.health_code == health.CANDLES_LATE
    assert "BTC/USDT" in live_deployment.health_message
    assert "No answer" in live_deployment.health_message
    told = Notification.objects.filter(kind=NotificationKind.CANDLES_LATE)
    assert [each.owner_id for each in told] == [live_deployment.owner_id]
    slow.refresh_from_db()
    assert slow.health == Health.OK


def test_it_ends_when_the_candles_come(live_deployment, now):
    let_candles_stop(live_deployment, now=now)

    let_candles_come(live_deployment, now=now + MINUTE)

    assert live_deployment.health == Health.OK
    assert live_deployment.health_message == ""


def test_another_problem_is_kept(live_deployment, now):
    live_deployment.health = Health.DEGRADED
    live_deployment.health_code = health.POSITION_DRIFT
    live_deployment.save()

    let_candles_stop(live_deployment, now=now)
    assert live_deployment.health_code == health.POSITION_DRIFT
    let_candles_come(live_deployment, now=now + MINUTE)

    assert live_deployment.health_code == health.POSITION_DRIFT


def test_what_has_stopped_is_left_alone(live_deployment, now):
    live_deployment.actual_state = ActualState.STOPPED
    live_deployment.save()

    let_candles_stop(live_deployment, now=now)

    assert live_deployment.health == Health.OK
    assert not Notification.objects.exists()
