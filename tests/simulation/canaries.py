"""The platform broken on purpose: the simulation has to notice it, and nothing else in the same day."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final

from tests.crash.canaries import CANARIES as MATRIX
from tests.simulation.play import House, Result

#: Within so many seeds every breakage has to be noticed.
SEEDS: Final = 200

#: Those of the kill matrix that break something which a day of the simulation comes to.
CANARIES: Final[Mapping[str, Callable[[], AbstractContextManager[None]]]] = MappingProxyType(
    {
        name: MATRIX[name].breakage
        for name in ("one-lookup", "blind-resend", "errors-reject", "no-epoch", "empty-ids")
    }
)


def first_noticed(house: House, name: str, *, seeds: range = range(SEEDS)) -> Result | None:
    """Return the first of *seeds* in which a breakage, and nothing else, was noticed, or None."""
    for seed in seeds:
        with CANARIES[name]():
            broken = house.play(seed)
        if broken.findings and not house.play(seed).findings:
            return broken
    return None
