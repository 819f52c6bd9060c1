"""Bringing stored secrets to the newest key of their ring, batch by batch, while everything goes on.

A batch is one short transaction; what is done is told by the stored values themselves, so a rotation that was killed
begins where it ended. A reader sees a value as it was or as it is, and opens either: its ring holds both keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from foundation.crashpoints import crashpoint


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did; ``last_key`` is None if nothing was left, ``broken`` are keys of rows that do not open."""

    last_key: int | None
    rotated: int = 0
    broken: tuple[int, ...] = ()


class RotateBatch(Protocol):
    """Brings the next rows after a key to the newest version."""

    def __call__(self, *, after: int, limit: int) -> Batch: ...


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring of keys and what it protects: how to count it by version, and how to rotate a batch of it."""

    name: str
    protects: str
    newest: Callable[[], int]
    count: Callable[[], Mapping[int, int]]
    rotate_batch: RotateBatch


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did, and how many rows still need an older version."""

    rotated: int
    broken: tuple[int, ...]
    outdated: int


def outdated(ring: Ring) -> int:
    """Return how many rows need another version than the newest."""
    newest = ring.newest()
    return sum(count for version, count in ring.count().items() if version != newest)


def rotate(ring: Ring, *, batch: int, report: Callable[[int], None]) -> Rotated:
    """Rotate everything that *ring* protects; *report* hears of each batch how many rows are done."""
    after, done = 0, 0
    broken: list[int] = []
    while True:
        result = ring.rotate_batch(after=after, limit=batch)
        if result.last_key is None:
            return Rotated(done, tuple(broken), outdated(ring))
        after = result.last_key
        done += result.rotated
        broken += result.broken
        report(done)
        crashpoint("keys.rotated")
