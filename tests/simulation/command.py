"""The command line of the simulation."""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from typing import Any, Final

from tests.servers import provide_servers

#: Seeds that are played a second time, to see that the same happens.
_TWICE: Final = 20

_TOLD_EVERY: Final = 50

#: Findings of which more than the first line is shown.
_SHOWN: Final = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what was asked for; return 1 if anything was wrong, or a canary was not noticed."""
    options = _parser().parse_args(arguments)
    with ExitStack() as stack:
        provide_servers(stack)
        import django  # noqa: PLC0415  its settings need the servers' addresses

        django.setup()
        if options.canary:
            return _fly_canaries(options)
        if options.seed is not None:
            return _repeat(options)
        return _run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="so many (%(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="begin with it (%(default)s)")
    parser.add_argument("--seed", type=int, help="this seed only, with its trace")
    parser.add_argument("--minutes", type=float, help="stop after so long, with what was played")
    parser.add_argument("--happenings", type=int, help="so many in each day")
    parser.add_argument(
        "--shards", type=int, default=os.cpu_count() or 1, help="side by side (%(default)s)"
    )
    parser.add_argument("--canary", action="append", help="break the platform so; or 'all'")
    return parser


def _repeat(options: argparse.Namespace) -> int:
    from tests.simulation import play  # noqa: PLC0415  Django has to be set up

    with play.opened() as house:
        result = house.play(options.seed, happenings=options.happenings or play.HAPPENINGS)
    print("\n".join(result.lines))
    for finding in result.findings:
        print(f"WRONG: {finding}")
    print(f"SEED={result.seed} DIGEST={result.digest} {len(result.findings)} findings")
    return 1 if result.findings else 0


def _run(options: argparse.Namespace) -> int:
    from tests.crash.shards import commit  # noqa: PLC0415  Django has to be set up

    seeds = range(options.first_seed, options.first_seed + options.seeds)
    print(f"SEED={seeds[0]}..{seeds[-1]} COMMIT={commit()} SHARDS={options.shards}", flush=True)
    begun_s, count, wrong, differing = time.monotonic(), 0, 0, 0
    counts: Counter[str] = Counter()
    digests: dict[int, str] = {}
    # The first few come twice, the second time in whichever process is free.
    for result in _played([*seeds[:_TWICE], *seeds[:_TWICE], *seeds[_TWICE:]], options):
        if isinstance(result, str):
            print(f"A shard has ended: {result}")
            return 1
        known = digests.setdefault(result["seed"], result["digest"])
        if known != result["digest"]:
            differing += 1
            print(f"DIFFERENT: seed {result['seed']} had {known}, then {result['digest']}")
        count += 1
        wrong += bool(result["findings"])
        counts.update({name: result[name] for name in ("orders", "deaths", "sleeps", "steps")})
        counts["faults"] += len(result["faults"])
        if result["findings"]:
            _tell(result, is_whole=wrong <= _SHOWN)
        if count % _TOLD_EVERY == 0:
            print(f"... {count} days, {wrong} wrong", flush=True)
        if options.minutes and time.monotonic() - begun_s > 60 * options.minutes:
            break
    seconds = time.monotonic() - begun_s
    print(
        f"{count} days ({len(digests)} seeds) in {seconds:.0f} s, {count / seconds:.2f} a second:"
        f" {counts['steps']} lines of trace, {counts['orders']} orders sent,"
        f" {counts['deaths']} deaths, {counts['sleeps']} sleeps, {counts['faults']} faults"
    )
    print(
        f"{wrong} wrong, {count - len(digests)} played twice and {differing} of them different;"
        f" 0 of n bounds the rate by {3 / max(len(digests), 1):.2%}"
    )
    return 1 if wrong or differing else 0


def _tell(result: dict[str, Any], *, is_whole: bool) -> None:
    print(f"WRONG: make sim SEED={result['seed']}", flush=True)
    for finding in result["findings"]:
        lines = finding.strip().splitlines()
        print("\n".join(f"  {line}" for line in (lines if is_whole else lines[-1:])), flush=True)


def _played(seeds: Sequence[int], options: argparse.Namespace) -> Iterator[Any]:
    """Play *seeds* in processes side by side, each with a database of its own; the process that fails tells why."""
    context = multiprocessing.get_context("spawn")
    todo: Any = context.Queue()
    results: Any = context.Queue()
    for seed in seeds:
        todo.put(seed)
    shards = max(1, min(options.shards, len(seeds)))
    for _ in range(shards):
        todo.put(None)
    processes = [
        context.Process(target=serve, args=(todo, results, options.happenings, ""), daemon=True)
        for _ in range(shards)
    ]
    for process in processes:
        process.start()
    try:
        for _ in seeds:
            yield results.get()
    finally:
        for process in processes:
            process.terminate()
            process.join()


def serve(todo: Any, results: Any, happenings: int | None, breakage: str) -> None:
    """Play the seeds that come, until None does."""
    provide_servers(ExitStack())
    import django  # noqa: PLC0415  its settings need the servers' addresses

    django.setup()
    from tests.simulation import canaries, play  # noqa: PLC0415  Django has to be set up

    try:
        broken = canaries.CANARIES[breakage]() if breakage else nullcontext()
        with play.opened() as house, broken:
            while (seed := todo.get()) is not None:
                result = house.play(seed, happenings=happenings or play.HAPPENINGS)
                results.put(
                    {
                        "seed": result.seed,
                        "digest": result.digest,
                        "findings": list(result.findings),
                        "orders": result.orders,
                        "deaths": result.deaths,
                        "sleeps": result.sleeps,
                        "faults": list(result.faults),
                        "steps": len(result.lines),
                    }
                )
    except BaseException as error:
        results.put(repr(error))
        raise


def _fly_canaries(options: argparse.Namespace) -> int:
    from tests.simulation import canaries, play  # noqa: PLC0415  Django has to be set up

    names = list(canaries.CANARIES) if "all" in options.canary else options.canary
    unnoticed = 0
    with play.opened() as house:
        for name in names:
            result = canaries.first_noticed(house, name)
            if result is None:
                unnoticed += 1
                print(f"{name:16} NOT noticed within {canaries.SEEDS} seeds", flush=True)
            else:
                finding = result.findings[0].strip().splitlines()[-1]
                print(f"{name:16} seed {result.seed:3}: {finding}", flush=True)
    print(f"{len(names) - unnoticed} of {len(names)} were noticed", flush=True)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
