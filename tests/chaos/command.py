"""The command line of the chaos run: everything is started, struck, left to recover, and compared."""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from tests.chaos import strikes
from tests.chaos.client import Client
from tests.chaos.probes import Probes
from tests.chaos.strikes import Blow, How
from tests.chaos.world import World, standing
from tests.flows.stack import CHECKOUT, eventually

REPORT: Final = CHECKOUT / "reports" / "chaos.json"
#: The market moves on until the last strike is over, however long everything before it took.
_MOVES_ON_S: Final = 120.0
_READY_WITHIN_S: Final = 600.0
#: Far more than everything before and after the strikes takes.
_AROUND_S: Final = 1_800.0

#: The checker's words for an order that is there more than once, and for one that is nowhere.
_DOUBLED: Final = ("was sent ", "orders called", "is there ")
_LOST: Final = ("unknown there", "no row of")


@dataclass(slots=True)
class Outcome:
    """What a run has come to; ``findings`` is everything that is wrong."""

    findings: list[str] = field(default_factory=list)
    blows: list[Blow] = field(default_factory=list)
    recoveries: Mapping[tuple[str, How], list[float | None]] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    longest_outage_s: float = 0.0
    ready_after_s: float | None = None
    figures: dict[str, Any] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as asked for, print and keep the report; return 1 if anything was wrong."""
    options = _parser().parse_args(arguments)
    seed, outcome, over = options.seed, Outcome(), Event()
    load = os.getloadavg()
    print(f"SEED={seed} CHAOS_SECONDS={options.seconds:g} LOAD={load[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        with standing(Path(folder), scale=options.scale) as world:
            director = Thread(target=_direct, args=(world, options, outcome, over), daemon=True)
            director.start()
            # The supervisor belongs to the main thread; what it starts dies with that one.
            world.supervisor.wait_until(
                lambda: not director.is_alive(), timeout_s=options.seconds + _AROUND_S
            )
            over.set()
            if director.is_alive():
                outcome.findings.append("The run was cut short.")
        if outcome.findings:
            _keep_log(Path(folder) / "chaos.log")
    print(_table(outcome), flush=True)
    _keep(outcome, options, load)
    return 1 if outcome.findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="of strikes (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of strikes and market (%(default)s)")
    parser.add_argument("--deployments", type=int, default=4, help="that trade (%(default)s)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of all horizons of the platform (%(default)s)"
    )
    return parser


def _direct(world: World, options: argparse.Namespace, outcome: Outcome, over: Event) -> None:
    try:
        _play(world, options, outcome, over)
    except Exception as error:  # noqa: BLE001  a run that breaks off is a finding, and is reported
        outcome.findings.append(f"The run broke off: {error!r}")


def _play(world: World, options: argparse.Namespace, outcome: Outcome, over: Event) -> None:
    import django  # noqa: PLC0415  its settings need the servers' addresses

    django.setup()
    logging.disable(logging.ERROR)
    from tests.chaos import money, trading  # noqa: PLC0415  Django has to be set up

    trading.move_market(world.stack, seed=options.seed, seconds=3_600)
    traders = trading.begin(world.stack, number=options.deployments)
    trading.move_market(world.stack, seed=options.seed, seconds=options.seconds + _MOVES_ON_S)
    probes = Probes(url=world.stack.url, database_url=world.database_url, redis_url=world.redis_url)
    client, till = Client(traders[0].visitor), money.Till(options.seed)
    for each in (probes, client, till):
        each.start()
    print(f"{len(traders)} deployments trade; the strikes begin.", flush=True)
    drawn = strikes.draw(options.seed, seconds=options.seconds)
    outcome.blows = strikes.carry_out(drawn, pid_of=world.supervisor.pid_of, over=over)
    begun_s = time.monotonic()
    print(f"{len(outcome.blows)} strikes are over; everything may recover.", flush=True)
    eventually(world.is_ready, what="the platform is ready again", within_s=_READY_WITHIN_S)
    outcome.ready_after_s = time.monotonic() - begun_s
    eventually(
        lambda: None not in _times(probes.recoveries(outcome.blows)),
        what="every component answers",
        within_s=_READY_WITHIN_S,
    )
    for each in (till, client, probes):
        each.stop()
    outcome.recoveries = probes.recoveries(outcome.blows)
    outcome.answers, outcome.longest_outage_s = client.answers, client.longest_outage_s
    trading.calm_market(world.stack)
    outcome.findings += [*trading.come_to_rest(), *trading.check(traders)]
    outcome.findings += trading.stop_all(traders)
    outcome.findings += [*trading.come_to_rest(), *trading.check(traders)]
    money.settle()
    outcome.findings += money.check()
    outcome.figures = {**trading.figures(), **money.figures(), "interrupted": till.interrupted}


def _times(recoveries: Mapping[tuple[str, How], list[float | None]]) -> list[float | None]:
    return [took_s for times in recoveries.values() for took_s in times]


def _table(outcome: Outcome) -> str:
    lines = [f"{'component':16} {'befell':7} {'times':>5} {'p50 s':>7} {'max s':>7}"]
    for (victim, how), times in sorted(outcome.recoveries.items()):
        known = sorted(each for each in times if each is not None)
        p50, most = (known[len(known) // 2], known[-1]) if known else (float("nan"),) * 2
        lines.append(f"{victim:16} {how:7} {len(times):5} {p50:7.2f} {most:7.2f}")
    asked = sum(outcome.answers.values())
    doubled, lost = _count(outcome, *_DOUBLED), _count(outcome, *_LOST)
    lines += [
        f"pages: {asked} asked for, "
        + ", ".join(f"{times} x {answer}" for answer, times in sorted(outcome.answers.items()))
        + f"; longest without a good one {outcome.longest_outage_s:.1f} s",
        *(f"{name}: {value}" for name, value in outcome.figures.items()),
        f"doubled {doubled}, lost {lost}, wrong in any way {len(outcome.findings)}",
        *(f"WRONG: {finding}" for finding in outcome.findings),
    ]
    return "\n".join(lines)


def _count(outcome: Outcome, *words: str) -> int:
    return sum(any(word in finding for word in words) for finding in outcome.findings)


def _keep(outcome: Outcome, options: argparse.Namespace, load: Sequence[float]) -> None:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or "unknown",
        "seed": options.seed,
        "seconds": options.seconds,
        "scale": options.scale,
        "load_before": load,
        "load_after": os.getloadavg(),
        "findings": outcome.findings,
        "strikes": [
            {"victim": blow.strike.victim, "how": blow.strike.how.value} for blow in outcome.blows
        ],
        "recovery_s": {
            f"{victim}/{how}": times for (victim, how), times in sorted(outcome.recoveries.items())
        },
        "ready_after_s": outcome.ready_after_s,
        "answers": dict(outcome.answers),
        "longest_outage_s": outcome.longest_outage_s,
        **outcome.figures,
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2, default=str) + "\n", encoding="utf-8")


def _keep_log(log: Path) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    kept = REPORT.with_suffix(".log")
    kept.write_bytes(log.read_bytes())
    print(f"What all processes printed is kept in {kept}.", file=sys.stderr)
