"""Price paths: from recorded candles, replayed fast, and from a script written for a test."""

import csv
import hashlib
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exchanges.simulator import instruments
from exchanges.simulator.instruments import Instrument
from exchanges.simulator.prices import SAMPLE_MS, SAMPLES_PER_SECOND, PricePath
from market.timeframes import Timeframe

SHIPPED: Final = Path(__file__).resolve().parent.parent / "sample_data" / "binance"

#: The newest so many bars of a recording are replayed, to bound memory (about 40 MB a market).
MOST_BARS: Final = 50_000

#: Small movements around the recorded path, as a fraction of each bar's range.
_NOISE: Final = 0.06
_COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")


class RecordingError(ValueError):
    """Recorded candles or a script that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The candles of one market: ``rows`` of shape ``(n, 6)`` in the order of the columns."""

    instrument: Instrument
    timeframe: Timeframe
    rows: NDArray[np.float64]
    digest: str


def load_recordings(directory: Path, *, timeframe: Timeframe) -> list[Recording]:
    """Read every ``<BASE-QUOTE>/<timeframe>.csv`` (or ``.parquet``) below *directory*.

    Raise RecordingError if there is none, if two claim one market, or if one is broken.
    """
    found: dict[str, Path] = {}
    paths = [*directory.glob(f"**/{timeframe}.csv"), *directory.glob(f"**/{timeframe}.parquet")]
    for path in sorted(paths):
        market = path.parent.name
        if market.count("-") != 1:
            continue
        if market in found:
            raise RecordingError(f"Two recordings of {market}: {found[market]} and {path}.")
        found[market] = path
    if not found:
        raise RecordingError(f"No <BASE-QUOTE>/{timeframe}.csv below {directory}.")
    return [_load(path, timeframe) for _, path in sorted(found.items())]


def replay(recording: Recording, *, bar_seconds: int) -> PricePath:
    """Return the path that plays each recorded bar in *bar_seconds* seconds.

    A bar runs straight from its open to one extreme, to the other and to its close: first the low
    if it rose, first the high if it fell. Small deterministic movements keep every second alive
    and stay within the bar. Volume flows at the recorded rate per second of wall time.
    """
    instrument = recording.instrument
    open_, high, low, close, volume = recording.rows.T[1:]
    samples = bar_seconds * SAMPLES_PER_SECOND
    rises = close >= open_
    corners = np.stack([open_, np.where(rises, low, high), np.where(rises, high, low), close])
    places = np.array([0, samples // 3, 2 * samples // 3, samples - 1])
    path = np.empty((len(open_), samples))
    for leg, (start, stop) in enumerate(pairwise(places)):
        share = np.arange(stop - start + 1) / (stop - start)
        path[:, start : stop + 1] = (
            corners[leg][:, None] * (1 - share) + corners[leg + 1][:, None] * share
        )
    random = _noise(instrument.symbol, path.size).reshape(path.shape)
    wobble = (2 * random - 1) * _NOISE * (high - low)[:, None]
    wobble[:, places] = 0
    path = np.clip(path + wobble, low[:, None], high[:, None])
    ticks = np.maximum(np.rint(path / float(instrument.tick)), 1).astype(np.int64)
    recorded_seconds = recording.timeframe.milliseconds / 1_000
    per_sample = volume / recorded_seconds / SAMPLES_PER_SECOND / float(instrument.lot)
    shares = _noise(instrument.symbol + " volume", path.size).reshape(path.shape) + 0.5
    lots = np.maximum(np.rint(per_sample[:, None] * shares), 1).astype(np.int64)
    return PricePath(ticks.ravel(), lots.ravel(), mirrored=True)


@dataclass(frozen=True, slots=True)
class Script:
    """A price path written by hand: ``points`` of (seconds from the start, price) by market name.

    Before its first point the first price holds, after its last the last. ``start_ms`` is when it
    starts, None for at once; between two points the price is linear, or ``stepped`` it jumps.
    """

    points: Mapping[str, Sequence[tuple[float, float]]]
    start_ms: int | None
    stepped: bool

    @classmethod
    def parse(cls, document: Any) -> "Script":
        """Read ``{"start_ms"?, "stepped"?, "prices": {"BTC/USDT": [[0, 100], …]}}``.

        The type is Any because it comes from JSON; whatever is wrong raises RecordingError.
        """
        try:
            points = {
                str(name): [(float(second), float(price)) for second, price in rows]
                for name, rows in document["prices"].items()
            }
            start = document.get("start_ms")
            script = cls(
                points, None if start is None else int(start), bool(document.get("stepped"))
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(f"The script cannot be read: {error!r}.") from error
        for name, rows in script.points.items():
            _check_points(name, rows)
        return script

    def document(self) -> dict[str, object]:
        """Return what ``parse`` reads back as this script."""
        return {"prices": dict(self.points), "start_ms": self.start_ms, "stepped": self.stepped}

    def path(self, instrument: Instrument) -> PricePath:
        """Return the sampled path of one of the markets in ``points``."""
        rows = self.points[instrument.name]
        seconds = np.array([second for second, _ in rows])
        prices = np.array([price for _, price in rows])
        samples = np.arange(math.floor(seconds[-1] * SAMPLES_PER_SECOND) + 1) / SAMPLES_PER_SECOND
        if self.stepped:
            latest = np.maximum(np.searchsorted(seconds, samples, side="right") - 1, 0)
            values = prices[latest]
        else:
            values = np.interp(samples, seconds, prices)
        ticks = np.maximum(np.rint(values / float(instrument.tick)), 1).astype(np.int64)
        return PricePath(ticks, np.full_like(ticks, 100), mirrored=False)


def describe_scripted(name: str, script: Script) -> Instrument:
    """Return the rules of a market that only a script knows."""
    base, _, quote = name.partition("/")
    return instruments.describe(base, quote, typical_price=script.points[name][0][1])


def sample_of(instant_ms: int) -> int:
    """Return the number of the sample that *instant_ms* lies in."""
    return instant_ms // SAMPLE_MS


def _check_points(name: str, rows: Sequence[tuple[float, float]]) -> None:
    base, slash, quote = name.partition("/")
    if not (base.isalnum() and slash and quote.isalnum() and name == name.upper()):
        raise RecordingError(f"{name!r} is not a market name such as BTC/USDT.")
    if not rows or len(rows) > 100_000 or not 0 <= rows[-1][0] <= 86_400:
        raise RecordingError(f"{name}: a script has 1 to 100,000 points within a day.")
    if any(not math.isfinite(price) or price <= 0 for _, price in rows):
        raise RecordingError(f"{name}: every price must be a positive number.")
    if any(not earlier[0] < later[0] for earlier, later in pairwise(rows)):
        raise RecordingError(f"{name}: the seconds must increase.")


def _load(path: Path, timeframe: Timeframe) -> Recording:
    rows = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    rows = rows[-MOST_BARS:]
    if not len(rows):
        raise RecordingError(f"{path}: no candles.")
    prices = rows[:, 1:5]
    if not np.isfinite(rows).all() or (prices <= 0).any() or (rows[:, 5] < 0).any():
        raise RecordingError(f"{path}: a price is not positive, or a number is missing.")
    if (prices.max(axis=1) > rows[:, 2]).any() or (prices.min(axis=1) < rows[:, 3]).any():
        raise RecordingError(f"{path}: a high or low lies inside its bar.")
    if (np.diff(rows[:, 0]) <= 0).any():
        raise RecordingError(f"{path}: the candles are not in the order of time.")
    base, _, quote = path.parent.name.partition("-")
    instrument = instruments.describe(base, quote, typical_price=float(np.median(rows[:, 4])))
    digest = hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()
    return Recording(instrument=instrument, timeframe=timeframe, rows=rows, digest=digest)


def _read_csv(path: Path) -> NDArray[np.float64]:
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.reader(file) if line]
    if lines and lines[0][0].strip() == "timestamp":
        lines = lines[1:]
    try:
        return np.array([[float(cell) for cell in line[:6]] for line in lines], dtype=np.float64)
    except ValueError as error:
        raise RecordingError(f"{path}: {error}.") from error


def _read_parquet(path: Path) -> NDArray[np.float64]:
    # Heavy, and needed only by whoever replays Parquet files.
    try:
        import pyarrow.parquet as parquet  # noqa: PLC0415
    except ImportError as error:
        raise RecordingError(f"{path}: reading Parquet needs pyarrow.") from error
    table = parquet.read_table(path, columns=list(_COLUMNS))
    columns = [np.asarray(table[name].to_numpy(), dtype=np.float64) for name in _COLUMNS]
    return np.stack(columns, axis=1)


def _noise(name: str, count: int) -> NDArray[np.float64]:
    """Return *count* numbers in [0, 1) that depend on *name* and their place alone (splitmix64)."""
    seed = np.uint64(zlib.crc32(name.encode()))
    with np.errstate(over="ignore"):
        state = (np.arange(1, count + 1, dtype=np.uint64) + (seed << np.uint64(32))) * np.uint64(
            0x9E3779B97F4A7C15
        )
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / float(1 << 53)
