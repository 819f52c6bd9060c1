"""Old decisions that say nothing new are forgotten."""

from datetime import timedelta

import pytest

from trading.models import DeploymentDecision, GroupDecision
from trading.selectors import decisions
from trading.services import pruning

pytestmark = pytest.mark.django_db


@pytest.fixture
def decide(live_deployment, instrument):
    """Write down what the group and, if it differs, the deployment decided at a bar."""
    revision = live_deployment.revisions.get()

    def write(at, shared: str, own: str = "") -> None:
        GroupDecision.objects.create(
            group=revision.group, instrument=instrument, bar_close_at=at, reason=shared
        )
        if own:
            DeploymentDecision.objects.create(
                owner=live_deployment.owner,
                deployment=live_deployment,
                revision=revision,
                instrument=instrument,
                bar_close_at=at,
                reason=own,
            )

    return write


def test_what_did_nothing_goes_after_ninety_days(decide, now):
    decide(now - timedelta(days=91), "NO_SIGNAL", "HOLD")
    decide(now - timedelta(days=89), "NO_SIGNAL", "HOLD")

    assert pruning.prune_decisions(now=now) == 2
    assert DeploymentDecision.objects.count() == GroupDecision.objects.count() == 1
    assert pruning.prune_decisions(now=now) == 0


def test_what_led_to_orders_stays_and_nobody_is_said_to_have_acted_who_did_not(
    decide, live_deployment, now
):
    live_deployment.revisions.update(from_bar_at=now - timedelta(days=200))
    decide(now - timedelta(days=100), "ENTER_LONG")
    decide(now - timedelta(days=99), "ENTER_LONG", "HOLD")

    assert pruning.prune_decisions(now=now) == 0
    found = decisions.decisions_for(live_deployment.owner, deployment=live_deployment)
    assert [each.reason for each in found] == ["HOLD", "ENTER_LONG"]
