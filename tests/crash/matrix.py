"""Scenarios, one after the other, on one stage."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from tests.crash import checker
from tests.crash.plans import Plan, draw
from tests.crash.stage import Scene, Stage
from tests.crash.workers import Told, compare_first, fork, live_a_day, recover, stop_it
from trading.models import Order
from trading.services import venues


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a scenario: whether its process came to its place, and what was wrong in the end."""

    point: str
    seed: int
    reached: bool
    slept: bool
    fault: str
    findings: list[str]
    orders: int
    in_review: int
    protected_after_s: float | None
    seconds: float

    @classmethod
    def failed(cls, plan: Plan, finding: str) -> Self:
        """Return the result of a scenario that did not come to its end."""
        return cls(
            point=plan.point,
            seed=plan.seed,
            reached=False,
            slept=False,
            fault=plan.fault.value if plan.fault else "",
            findings=[finding],
            orders=0,
            in_review=0,
            protected_after_s=None,
            seconds=0.0,
        )


def run(stage: Stage, plans: Iterable[Plan]) -> Iterator[Result]:
    """Play *plans*, one after the other."""
    for plan in plans:
        yield play(stage, plan)


def play(stage: Stage, plan: Plan) -> Result:
    """Play one scenario: a process dies or sleeps, others go on, and the books are compared."""
    begun_s = time.monotonic()
    scene = stage.make_scene(plan)
    try:
        first = fork(lambda: compare_first(scene), egress=scene.egress).wait()
        stage.begin_bad_hour(scene)
        reached, tellings = _happen(stage, scene)
        tellings.append(first)
        findings = [problem for told in tellings for problem in told.problems]
        findings += checker.check(scene, stage.truth(scene))
        rows = list(Order.objects.filter(deployment=scene.deployment))
        return Result(
            point=plan.point,
            seed=plan.seed,
            reached=reached,
            slept=plan.by.name == "SIGSTOP",
            fault=plan.fault.value if plan.fault else "",
            findings=findings,
            orders=len(rows),
            in_review=sum(row.status == "MANUAL_REVIEW" for row in rows),
            protected_after_s=checker.protection_delay_s(scene, rows),
            seconds=round(time.monotonic() - begun_s, 3),
        )
    finally:
        stage.dismiss(scene)


def _happen(stage: Stage, scene: Scene) -> tuple[bool, list[Told]]:
    """Let the process die, or sleep while others take its place, and return what all of them told."""
    plan = scene.plan
    victim = fork(lambda: live_a_day(scene, stage), egress=scene.egress)
    if plan.by.name != "SIGSTOP":
        told = victim.wait()
        return victim.was_killed, [told, _recovered(stage, scene)]
    tellings = []
    slept = victim.falls_asleep()
    if slept:
        if plan.stops_meanwhile:
            tellings.append(fork(lambda: stop_it(scene), egress=scene.egress).wait())
        # Others find its claims run out, and everything that it left.
        tellings.append(_recovered(stage, scene, at_least_s=2 * venues.claim_seconds()))
        victim.wake()
    tellings.append(victim.wait())
    return slept, [*tellings, _recovered(stage, scene)]


def _recovered(stage: Stage, scene: Scene, *, at_least_s: float = 0.0) -> Told:
    # Another machine, which the exchange may have nothing against.
    egress = f"{scene.egress}-two"
    return fork(lambda: recover(scene, stage, at_least_s=at_least_s), egress=egress).wait()


def plans_of(points: Iterable[str], seeds: Iterable[int]) -> list[Plan]:
    """Return the scenarios of these places, seed by seed, so that a run cut short has met all places."""
    points = list(points)
    return [draw(point, seed) for seed in seeds for point in points]
