"""The matrix in several processes at once, each with a database and an exchange of its own."""

import json
import multiprocessing
import subprocess
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, fields
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final
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

#: So many shards may end before their time, one after the other.
_MOST_LOSSES: Final = 3

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


@dataclass(slots=True)
class _Shard:
    """A process that plays one scenario after another, and the one that it has in hand."""

    process: BaseProcess
    plan: Plan


def run(
    plans: Sequence[Plan],
    *,
    shards: int,
    breakage: Breakage = nullcontext,
    is_enough: Callable[[Result], bool] = lambda _: False,
) -> Iterator[Result]:
    """Play *plans* in so many processes side by side, until one result is enough.

    A shard that ends before its time is a finding of the scenario that it had in hand, and another one goes on;
    raises RuntimeError if that does not help.
    """
    waiting, crew, losses = deque(plans), dict[Connection, _Shard](), 0
    try:
        while waiting and len(crew) < shards:
            _hire(crew, waiting.popleft(), breakage)
        while crew:
            for pipe in map(_as_connection, wait(list(crew))):
                told = _hear(crew, pipe)
                losses = 0 if pipe in crew else losses + 1
                yield told
                if is_enough(told):
                    waiting.clear()
                if losses > _MOST_LOSSES:
                    raise RuntimeError("One shard after the other has ended.")
                _go_on(crew, pipe, waiting, breakage)
    finally:
        for pipe in list(crew):
            _dismiss(crew, pipe)


def _hear(crew: dict[Connection, _Shard], pipe: Connection) -> Result:
    """Return what a shard tells; one that has ended is no longer of the crew."""
    try:
        told: Result = pipe.recv()
    except EOFError:
        shard = crew.pop(pipe)
        shard.process.join()
        pipe.close()
        return Result.failed(
            shard.plan, f"The shard has ended with status {shard.process.exitcode}."
        )
    return told


def _go_on(
    crew: dict[Connection, _Shard], pipe: Connection, waiting: deque[Plan], breakage: Breakage
) -> None:
    """Give out the next scenario, to a new shard if this one has ended; without one, let it go."""
    if waiting and pipe in crew:
        crew[pipe].plan = waiting.popleft()
        pipe.send(crew[pipe].plan)
    elif waiting:
        _hire(crew, waiting.popleft(), breakage)
    elif pipe in crew:
        _dismiss(crew, pipe)


def _hire(crew: dict[Connection, _Shard], plan: Plan, breakage: Breakage) -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, ours, breakage))
    process.start()
    theirs.close()
    ours.send(plan)
    crew[ours] = _Shard(process, plan)


def _dismiss(crew: dict[Connection, _Shard], pipe: Connection) -> None:
    shard = crew.pop(pipe)
    with suppress(BrokenPipeError):
        pipe.send(None)
    shard.process.join()
    pipe.close()


def _serve(pipe: Connection, other_end: Connection, breakage: Breakage) -> None:
    other_end.close()
    with own_stage() as stage, breakage():
        while (plan := pipe.recv()) is not None:
            pipe.send(play(stage, plan))


def _as_connection(ready: object) -> Connection:
    assert isinstance(ready, Connection)
    return ready


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


def played(path: Path, *, version: str) -> dict[tuple[str, int], Result]:
    """Return what a file has of a commit: the last result of each place and seed."""
    found: dict[tuple[str, int], Result] = {}
    names = {field.name for field in fields(Result)}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        if row["commit"] == version:
            result = Result(**{name: row[name] for name in names if name in row})
            found[(result.point, result.seed)] = result
    return found


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
