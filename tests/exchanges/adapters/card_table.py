"""The result of a run of the acceptance cards as a table, one row a card."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

CARDS: Final = range(1, 25)
_CARD: Final = re.compile(r"test_card_(\d\d)_(\w+)")
NOT_RUN: Final = "not run"


@dataclass(frozen=True)
class Ran:
    """One test of a card: its name, what came of it, how long it took, and the first line of why not."""

    name: str
    outcome: str
    seconds: float
    reason: str = ""


def lines_of(runs: Iterable[Ran]) -> Sequence[str]:
    """Return the table; a card passes if all of its tests do."""
    by_card: dict[int, list[Ran]] = {}
    titles: dict[int, str] = {}
    for run in runs:
        found = _CARD.search(run.name)
        if found is not None:
            number = int(found[1])
            by_card.setdefault(number, []).append(run)
            titles.setdefault(number, found[2].replace("_", " "))
    rows = [_row_of(number, titles.get(number, ""), by_card.get(number, ())) for number in CARDS]
    passed = sum(row[1] == "passed" for row in rows)
    width = max(len(row[3]) for row in rows)
    lines = [f"{'card':>4}  {'result':<8}{'seconds':>8}  what it asks"]
    lines += [f"{row[0]:>4}  {row[1]:<8}{row[2]:>8}  {row[3]:<{width}}".rstrip() for row in rows]
    return [*lines, f"{passed} of {len(CARDS)} cards passed"]


def heading_of(venue: str, environment: Mapping[str, str], addresses: Sequence[str]) -> str:
    """Return what was asked, without a secret: where, and from which addresses the key has to let us in."""
    where = environment.get("SANDBOX_URL") or "its practice market"
    ours = ", ".join(addresses) or "this machine's own"
    return f"Acceptance cards of {venue} at {where}; addresses to allow for the key: {ours}"


def _row_of(number: int, title: str, runs: Sequence[Ran]) -> tuple[str, str, str, str]:
    failed = [run for run in runs if run.outcome == "failed"]
    result = "failed" if failed else ("passed" if runs else NOT_RUN)
    seconds = f"{sum(run.seconds for run in runs):.2f}" if runs else ""
    reason = f" ({failed[0].reason})" if failed and failed[0].reason else ""
    return f"{number:02}", result, seconds, f"{title}{reason}"
