"""The trials of a sweep in columns: stored compactly, sorted, and laid out as a heat map."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import zstandard
from numpy.typing import NDArray

from backtesting.domain.objectives import FIGURES
from backtesting.domain.searches import Point, Value

#: The first byte of stored figures: how the rest is written.
_CODEC: Final = 1
_LEVEL: Final = 3
#: Figures that are whole numbers.
_COUNTS: Final = frozenset({"trades"})


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Trials in the order of their numbers, which count from 1.

    ``names`` are the swept parameters, ``points`` has a value for each of them in each trial,
    ``figures`` is float64 of shape ``(len(points), len(FIGURES))``, and ``numbers`` int64.
    """

    names: tuple[str, ...]
    numbers: NDArray[np.int64]
    points: Sequence[Point]
    figures: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.points)

    @classmethod
    def joined(cls, names: tuple[str, ...], parts: Sequence["Trials"]) -> Self:
        """Return all trials of *parts*, each of which has the same *names*."""
        return cls(
            names,
            np.concatenate([np.empty(0, np.int64), *(part.numbers for part in parts)]),
            [point for part in parts for point in part.points],
            np.concatenate([np.empty((0, len(FIGURES))), *(part.figures for part in parts)]),
        )

    def figure(self, key: str) -> NDArray[np.float64]:
        """Return the column of a figure."""
        return self.figures[:, FIGURES.index(key)]

    def values(self, name: str) -> list[Value]:
        """Return the column of a parameter."""
        place = self.names.index(name)
        return [point[place] for point in self.points]

    def parameters(self, index: int) -> dict[str, Value]:
        """Return the swept parameters of one trial by name."""
        return dict(zip(self.names, self.points[index], strict=True))

    def figures_json(self, index: int) -> dict[str, float | None]:
        """Return the figures of one trial by key; None where one is undefined."""
        row = zip(FIGURES, self.figures[index].tolist(), strict=True)
        return {key: _plain(key, value) for key, value in row}

    def sorted_by(self, key: str, *, descending: bool) -> NDArray[np.int64]:
        """Return the indices of all trials in the order of a figure, a parameter or ``number``.

        Undefined figures come last either way, equal ones in the order of their numbers.
        """
        if key == "number":
            column = self.numbers.astype(np.float64)
        elif key in FIGURES:
            column = self.figure(key)
        else:
            column = _ranks(self.values(key))
        return np.argsort(-column if descending else column, kind="stable").astype(np.int64)


def pack_figures(figures: NDArray[np.float64]) -> bytes:
    """Return figures of shape ``(n, len(FIGURES))`` column by column, little-endian, compressed."""
    raw = np.ascontiguousarray(figures.T, dtype="<f8").tobytes()
    return bytes([_CODEC]) + zstandard.compress(raw, _LEVEL)


def unpack_figures(data: bytes) -> NDArray[np.float64]:
    """Read what ``pack_figures`` wrote; raise ValueError for another codec."""
    if data[0] != _CODEC:
        raise ValueError(f"Figures of codec {data[0]} cannot be read.")
    raw = np.frombuffer(zstandard.decompress(data[1:]), dtype="<f8")
    return raw.reshape(len(FIGURES), -1).T.astype(np.float64)


def points_to_json(names: tuple[str, ...], points: Sequence[Point]) -> dict[str, list[Value]]:
    """Return *points* as a list for each parameter."""
    return {name: [point[place] for point in points] for place, name in enumerate(names)}


def points_from_json(names: tuple[str, ...], said: Mapping[str, Any]) -> list[Point]:
    """Return what ``points_to_json`` wrote."""
    return list(zip(*(said[name] for name in names), strict=True)) if said else []


def _plain(key: str, value: float) -> float | None:
    if math.isnan(value):
        return None
    return int(value) if key in _COUNTS else value


def _ranks(values: Sequence[Value]) -> NDArray[np.float64]:
    """Return numbers that stand in the order of *values*, which are of one kind."""
    is_text = any(isinstance(value, str) for value in values)
    order = {
        value: rank
        for rank, value in enumerate(sorted(set(values), key=str if is_text else _as_number))
    }
    return np.array([order[value] for value in values], dtype=np.float64)


def _as_number(value: Value) -> float:
    return float(value)
