"""The command line of the kill matrix."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Final

from tests.servers import provide_servers

#: How it is going is told this often.
_TELL_EVERY_S: Final = 15.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return 1 if anything was wrong, or a canary was not noticed."""
    options = _parser().parse_args(arguments)
    with ExitStack() as stack:
        provide_servers(stack)
        import django  # noqa: PLC0415  its settings need the servers' addresses

        django.setup()
        logging.disable(logging.ERROR)
        if options.canary:
            return _fly_canaries(options)
        return _run_matrix(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="for each place (%(default)s)")
    parser.add_argument("--point", action="append", help="this place only; may be repeated")
    parser.add_argument("--seed", type=int, help="this seed only")
    parser.add_argument("--first-seed", type=int, default=0, help="begin with it (%(default)s)")
    parser.add_argument(
        "--shards", type=int, default=2 * (os.cpu_count() or 1), help="side by side (%(default)s)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="leave out what was played of this commit"
    )
    parser.add_argument("--canary", action="append", help="break the platform so; or 'all'")
    return parser


def _run_matrix(options: argparse.Namespace) -> int:
    from tests.crash import matrix, shards  # noqa: PLC0415  Django has to be set up
    from tests.crash.points import POINTS  # noqa: PLC0415  see above

    points = options.point or list(POINTS)
    first = options.first_seed
    seeds = range(first, first + options.seeds) if options.seed is None else [options.seed]
    plans = matrix.plans_of(points, seeds)
    version, begun_s = shards.commit(), time.monotonic()
    known = shards.played(shards.REPORT, version=version) if options.resume else {}
    results = [known[key] for plan in plans if (key := (plan.point, plan.seed)) in known]
    todo = [plan for plan in plans if (plan.point, plan.seed) not in known]
    print(
        f"SEED={seeds[0]}..{seeds[-1]} COMMIT={version} SCENARIOS={len(plans)}"
        f" PLAYED={len(results)}",
        flush=True,
    )
    if todo:
        shards.warm_up()
    told_s, cut_short = begun_s, False
    try:
        for number, result in enumerate(shards.run(todo, shards=options.shards), start=1):
            results.append(result)
            at = datetime.now(UTC).isoformat(timespec="seconds")
            shards.append(shards.REPORT, result, at=at, version=version)
            if result.findings:
                _tell(result)
            if time.monotonic() - told_s >= _TELL_EVERY_S:
                told_s = time.monotonic()
                _tell_progress(number, len(todo), told_s - begun_s, results)
    except KeyboardInterrupt:
        cut_short = True
    print(shards.table(results, points))
    _tell_sum(results, len(plans), time.monotonic() - begun_s)
    if cut_short:
        print("Cut short; --resume plays what is missing of this commit.")
    return 1 if cut_short or any(each.findings for each in results) else 0


def _tell_progress(number: int, of: int, passed_s: float, results: Sequence[Any]) -> None:
    wrong = sum(bool(each.findings) for each in results)
    left_s = passed_s / number * (of - number)
    print(
        f"{number} of {of} in {passed_s:.0f} s, {wrong} wrong, about {left_s / 60:.0f} min to go",
        flush=True,
    )


def _tell_sum(results: Sequence[Any], of: int, passed_s: float) -> None:
    wrong = sum(bool(each.findings) for each in results)
    came = sum(each.reached for each in results)
    slept = sum(each.reached and each.slept for each in results)
    bound = f"0 of {len(results)} bounds the rate of failures by {3 / max(len(results), 1):.2%}"
    print(
        f"{len(results)} of {of} scenarios, {passed_s:.0f} s: {came} came to their place ({slept}"
        f" slept there), {wrong} wrong" + ("" if wrong else f"; {bound} (95 %)")
    )
    delays = sorted(
        each.protected_after_s for each in results if each.protected_after_s is not None
    )
    if delays:
        print(
            f"an entry's protection was ordered {delays[len(delays) // 2]:.2f} s (median) and"
            f" {delays[-1]:.2f} s (longest) after its fill was booked"
        )


def _tell(result: Any) -> None:
    print(f"WRONG: python -m tests.crash --point {result.point} --seed {result.seed}", flush=True)
    for finding in result.findings:
        print(f"  {finding}", flush=True)
    sys.stdout.flush()


def _fly_canaries(options: argparse.Namespace) -> int:
    from tests.crash import canaries, shards  # noqa: PLC0415  Django has to be set up

    names = list(canaries.CANARIES) if "all" in options.canary else options.canary
    print(f"COMMIT={shards.commit()}", flush=True)
    shards.warm_up()
    unnoticed = 0
    for name in names:
        canary = {**canaries.CANARIES, **canaries.CONTROLS}[name]
        result = canaries.first_noticed(canary, side_by_side=options.shards)
        if result is None:
            unnoticed += 1
            print(f"{name:16} NOT noticed within {canaries.SEEDS} seeds", flush=True)
        else:
            finding = result.findings[0].strip().splitlines()[-1]
            print(f"{name:16} seed {result.seed:3} at {result.point}: {finding}", flush=True)
    print(f"{len(names) - unnoticed} of {len(names)} were noticed")
    return 1 if unnoticed else 0
