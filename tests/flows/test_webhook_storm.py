"""Notices in any order, any number of times, true or forged, have one effect each; also with kills."""

import os

import pytest

from tests.flows.webhook_storm import storm

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(1_200),
]

#: `make webhook-storm` sends a thousand.
DELIVERIES = int(os.environ.get("STORM_DELIVERIES", "100"))


def test_a_storm_of_notices_settles_each_payment_once(stack):
    outcome = storm(stack, deliveries=DELIVERIES)

    facts = outcome.facts
    print(
        f"{outcome.deliveries} deliveries, {outcome.forged} forged, {outcome.kills} kills, "
        f"{outcome.seconds:.1f} s, {facts['payments']} payments"
    )
    payments = facts["payments"]
    assert payments == DELIVERIES * 9 // 10 // 5
    assert facts["settled"] == facts["grants"] == facts["subscriptions"] == payments
    assert facts["entries"] == facts["events"] == payments
    assert facts["most_grants"] == 1
    # Of each payment two notices are known, however often they came; of the forged ones none.
    assert facts["stored"] == 2 * payments
    assert facts["deliveries"] == outcome.deliveries - outcome.forged
    assert set(facts["states"]) <= {"DONE", "IGNORED"}
    assert outcome.forged >= DELIVERIES // 10
    assert outcome.kills >= 2
    assert facts["differences"] == []
    assert facts["violations"] == []
