"""The share of the kill matrix that every run of the suite plays: every place once.

`make crash` plays far more of it.
"""

import re
from pathlib import Path

import pytest

from foundation.crashpoints import CRASHPOINTS
from tests.crash import matrix
from tests.crash.checker import check
from tests.crash.plans import FAULTS, draw
from tests.crash.points import POINTS, STEPS, WIRE_POINTS
from tests.crash.workers import fork, live_a_day

_CHECKOUT = Path(__file__).resolve().parents[2]
_PACKAGES = ("platform", "exchanges", "trading", "backtesting")


@pytest.mark.flow
@pytest.mark.enable_socket
@pytest.mark.timeout(600)
def test_nothing_is_lost_doubled_or_left_wherever_a_process_dies(stage):
    # Among them is one that failed once: an order that a stop had sent was taken for a second order
    # (reconciliation.applied, seed 0).
    plans = [draw(point, 0) for point in POINTS]

    results = list(matrix.run(stage, plans))

    assert {result.point: result.findings for result in results if result.findings} == {}
    # Not every scenario has every step.
    missed = [result.point for result in results if not result.reached]
    again = list(matrix.run(stage, [draw(point, seed) for point in missed for seed in (1, 2)]))
    assert [result.findings for result in again if result.findings] == []
    assert set(missed) <= {result.point for result in again if result.reached}


@pytest.mark.flow
@pytest.mark.enable_socket
def test_the_checker_sees_what_is_wrong(stage):
    scene = stage.make_scene(draw("submission.settled", 4))
    told = fork(lambda: live_a_day(scene, stage, is_to_die=False), egress=scene.egress).wait()
    truth = stage.truth(scene)
    truth["requests"] *= 2
    for table in ("spot_orders", "spot_trades", "futures_orders", "futures_trades"):
        truth[table] *= 2
    truth["spot_balances"] *= 2
    truth["futures_positions"] *= 2

    findings = "\n".join(check(scene, truth))

    assert told.problems == []
    assert "was sent 2 times" in findings
    assert "the exchange has 2 orders called" in findings
    assert "the exchange holds" in findings


def test_every_crash_point_is_in_the_code_and_every_step_has_one():
    named = {
        name
        for package in _PACKAGES
        for path in (_CHECKOUT / package).rglob("*.py")
        for name in re.findall(r'crashpoint\(\s*"([a-z_.]+)"', path.read_text(encoding="utf-8"))
    }

    assert named == set(CRASHPOINTS)
    assert len(STEPS) == len(set(POINTS)) == 26
    assert set(POINTS) <= set(CRASHPOINTS) | set(WIRE_POINTS)


def test_a_scenario_follows_from_its_seed_and_few_seeds_meet_every_fault():
    assert draw("wire.sent", 7) == draw("wire.sent", 7)
    drawn = {draw(point, seed).fault for point in POINTS for seed in range(40)}
    assert drawn == {None, *FAULTS}
