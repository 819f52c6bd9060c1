"""The matrix in several processes at once, each with a database and an exchange of its own."""

import json
import multiprocessing
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import connections

from tests.crash import stage as stages
from tests.crash.matrix import Result, play
from tests.crash.plans import Plan
from tests.crash.stage import Stage
from tests.crash.workers import rehearse
from tests.flows.stack import CHECKOUT, fresh_database
from tests.template import template_database

REPORT: Final = CHECKOUT / "reports" / "crash.jsonl"

#: What is broken on purpose, for as long as it is held.
Breakage = Callable[[], AbstractContextManager[None]]


@contextmanager
def own_stage() -> Iterator[Stage]:
    """Open a stage on a fresh copy of the migrated database."""
    with fresh_database(template=template_database()) as url:
        connections.close_all()
        name = urlsplit(url).path.removeprefix("/")
        before = connections["default"].settings_dict["NAME"]
        connections["default"].settings_dict["NAME"] = name
        try:
            with stages.opened() as stage:
                yield stage
        finally:
            connections.close_all()
            connections["default"].settings_dict["NAME"] = before


def warm_up() -> None:
    """Load everything that a scenario needs into this process, and leave nothing open."""
    with own_stage() as stage:
        rehearse(stage)


def run(
    plans: Sequence[Plan],
    *,
    shards: int,
    breakage: Breakage = nullcontext,
    is_enough: Callable[[Result], bool] = lambda _: False,
) -> Iterator[Result]:
    """Play *plans* in so many processes side by side, until one result is enough."""
    context = multiprocessing.get_context("fork")
    results: SimpleQueue[Any] = context.SimpleQueue()
    todo: SimpleQueue[Any] = context.SimpleQueue()
    processes = [
        context.Process(target=_serve, args=(todo, results, breakage)) for _ in range(shards)
    ]
    for process in processes:
        process.start()
    waiting = list(reversed(plans))
    # Each has one at hand and one to go on with; the rest is given out as they end.
    for _ in range(min(2 * shards, len(waiting))):
        todo.put(waiting.pop())
    expected = len(plans)
    done = False
    try:
        while expected:
            told = results.get()
            if not isinstance(told, Result):
                raise TypeError(f"A shard has ended: {told}")
            expected -= 1
            yield told
            done = done or is_enough(told)
            if done:
                expected -= len(waiting)
                waiting.clear()
            if waiting:
                todo.put(waiting.pop())
    finally:
        for _ in processes:
            todo.put(None)
        for process in processes:
            process.join()


def _serve(todo: Any, results: Any, breakage: Breakage) -> None:
    try:
        with own_stage() as stage, breakage():
            while (plan := todo.get()) is not None:
                results.put(play(stage, plan))
    except BaseException as error:
        results.put(repr(error))
        raise


def commit() -> str:
    """Return the commit that is being tested, with a mark if files differ from it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def append(path: Path, result: Result, *, at: str, version: str) -> None:
    """Add a result to the file of results, one JSON document a line."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": at, "commit": version, **asdict(result)}) + "\n")


def table(results: Sequence[Result], points: Sequence[str]) -> str:
    """Return what happened at each place, as text."""
    lines = [f"{'place':28} {'played':>6} {'died':>6} {'slept':>6} {'wrong':>6} {'review':>6}"]
    for point in points:
        mine = [each for each in results if each.point == point]
        counts = Counter(
            {
                "died": sum(each.reached and not each.slept for each in mine),
                "slept": sum(each.reached and each.slept for each in mine),
                "wrong": sum(bool(each.findings) for each in mine),
                "review": sum(bool(each.in_review) for each in mine),
            }
        )
        lines.append(
            f"{point:28} {len(mine):6} {counts['died']:6} {counts['slept']:6}"
            f" {counts['wrong']:6} {counts['review']:6}"
        )
    return "\n".join(lines)
