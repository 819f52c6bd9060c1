"""Candle files into the store: each file in its own transaction, whole or not at all, and only once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from django.db import IntegrityError, transaction

from exchanges import readers
from exchanges.domain import checks, naming
from exchanges.domain.gaps import find_gaps
from exchanges.domain.naming import Market
from exchanges.domain.rules import derive_rules
from exchanges.models import CandleImport, Venue
from exchanges.readers.errors import (
    CandleFileError,
    EmptyFileError,
    FileNotReadableError,
    InvalidRowsError,
    TimeframeMismatchError,
    UnknownSeriesError,
)
from exchanges.readers.tables import CandleTable
from exchanges.selectors import instruments as instrument_reads
from exchanges.services import candles as candle_store
from exchanges.services import catalogue
from foundation.transactions import transactional
from market.candles import Candles
from market.errors import FieldProblem, InvalidInputError
from market.timeframes import Timeframe, to_milliseconds

SAMPLE_DATA: Final = Path(__file__).resolve().parents[1] / "sample_data"

_MOST_NAMED: Final = 20


class ImportStatus(StrEnum):
    """What became of a file."""

    IMPORTED = "IMPORTED"
    ALREADY_IMPORTED = "ALREADY_IMPORTED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file.

    ``code`` and ``message`` say why it was skipped or failed, ``problems`` name the first twenty rows. ``missing``
    counts the bars that are absent between the first and the last of the file; ``notes`` are for a person.
    """

    path: Path
    status: ImportStatus
    symbol: str = ""
    timeframe: str = ""
    row_count: int = 0
    added: int = 0
    revised: int = 0
    missing: int = 0
    code: str = ""
    message: str = ""
    problems: tuple[FieldProblem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Checked:
    candles: Candles
    notes: tuple[str, ...]


class InvalidSymbolError(InvalidInputError):
    """A symbol that is not written ``BASE/QUOTE``."""

    code = "unknown_symbol"


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files at *paths*, folders with all that is below them, in order and each once.

    Raise FileNotReadableError for a path that does not exist.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and p.name[0] != ".")
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            raise FileNotReadableError(f"{path}: there is no such file or folder.")
    return list(found)


def parse_symbol(text: str, *, venue_code: str) -> Market:
    """Return the market of ``BTC/USDT``, ``BTC/USDT:USDT`` or ``BTCUSDT``; raise InvalidSymbolError."""
    market = naming.market_of_symbol(text) or naming.market_of_code(text, venue_code=venue_code)
    if market is None:
        raise InvalidSymbolError(f"'{text[:40]}' is no symbol; write it like BTC/USDT.")
    return market


def import_file(
    path: Path,
    *,
    venue: Venue,
    now: datetime,
    market: Market | None = None,
    timeframe: Timeframe | None = None,
) -> FileOutcome:
    """Import one CSV or Parquet file and say what became of it; a bad file is an outcome, not an exception.

    Instrument and timeframe come from the path unless they are given. An instrument that the venue
    does not have yet is created with careful rules that the data shows.
    """
    reason = naming.skip_reason(path)
    if reason is None and not readers.is_candle_file(path) and market is None:
        reason = "neither .csv nor .parquet"
    if reason is not None:
        return FileOutcome(path, ImportStatus.SKIPPED, code="skipped", message=reason)
    name = naming.read_name(path, venue_code=venue.code)
    market, timeframe = market or name.market, timeframe or name.timeframe
    outcome = FileOutcome(
        path,
        ImportStatus.IMPORTED,
        symbol=market.symbol if market else "",
        timeframe=timeframe.value if timeframe else "",
    )
    try:
        if market is None or timeframe is None:
            unknown = "--symbol" if market is None else "--timeframe"
            raise UnknownSeriesError(f"The path does not say what these candles are: {unknown}?")
        digest = readers.fingerprint(path)
        if _is_imported(venue, market, timeframe, digest):
            return replace(outcome, status=ImportStatus.ALREADY_IMPORTED, code="already_imported")
        table = readers.read_candle_file(path)
        checked = _check(table, timeframe, now=now)
        outcome = replace(outcome, row_count=len(checked.candles), notes=checked.notes)
        return _store(outcome, venue=venue, market=market, digest=digest, checked=checked, now=now)
    except CandleFileError as error:
        return replace(
            outcome,
            status=ImportStatus.FAILED,
            code=error.code,
            message=error.message,
            problems=error.problems,
        )


def import_sample_data(
    *, now: datetime, on_outcome: Callable[[FileOutcome], None] | None = None
) -> list[FileOutcome]:
    """Ensure the venues that ship and import the candles that ship; return what became of each file.

    *on_outcome* is told of each file as soon as it is done.
    """
    catalogue.ensure_venues(now=now)
    outcomes = []
    for folder in sorted(path for path in SAMPLE_DATA.iterdir() if path.is_dir()):
        venue = instrument_reads.get_venue(folder.name)
        for path in find_files([folder]):
            outcomes.append(import_file(path, venue=venue, now=now))
            if on_outcome is not None:
                on_outcome(outcomes[-1])
    return outcomes


def _is_imported(venue: Venue, market: Market, timeframe: Timeframe, digest: str) -> bool:
    return CandleImport.objects.filter(
        venue=venue, instrument__symbol=market.symbol, timeframe=timeframe.value, sha256=digest
    ).exists()


def _check(table: CandleTable, timeframe: Timeframe, *, now: datetime) -> _Checked:
    """Return what is worth storing of *table*; raise InvalidRowsError or TimeframeMismatchError."""
    candles, now_ms = table.candles, to_milliseconds(now)
    other = checks.looks_like(candles.open_time, timeframe)
    if other is not None:
        raise TimeframeMismatchError(f"The file looks like {other}, not {timeframe}.")
    problems, count = checks.row_problems(candles, timeframe, now_ms=now_ms)
    unique, repeated, disorder, disorder_count = checks.order_problems(candles)
    problems = sorted([*problems, *disorder], key=lambda problem: problem.index)
    if problems:
        raise InvalidRowsError(
            problems[:_MOST_NAMED], count=count + disorder_count, first_row=table.first_row
        )
    notes = [f"{repeated} repeated rows dropped"] if repeated else []
    finished = len(unique)
    while finished and timeframe.close_of(int(unique.open_time[finished - 1])) > now_ms:
        finished -= 1
    if finished < len(unique):
        notes.append(f"{len(unique) - finished} unfinished bars dropped")
        unique = unique.slice(0, finished)
    if not len(unique):
        raise EmptyFileError("There is no finished bar in the file.")
    notes += [
        f"row {index + table.first_row}: the price jumps more than {checks.JUMP_RATIO:,}-fold"
        for index in checks.jumps(candles)[:3]
    ]
    return _Checked(unique, tuple(notes))


@transactional
def _store(
    outcome: FileOutcome,
    *,
    venue: Venue,
    market: Market,
    digest: str,
    checked: _Checked,
    now: datetime,
) -> FileOutcome:
    timeframe, candles = Timeframe(outcome.timeframe), checked.candles
    rules = derive_rules(candles, quote=market.quote)
    instrument, created = catalogue.ensure_instrument(
        venue=venue, market=market, rules=rules, now=now
    )
    notes = checked.notes
    if created:
        created_as = (
            f"{market.symbol} created as {market.kind}: tick {rules.tick_size:f}, lot"
            f" {rules.lot_step:f}, least order {rules.minimum_notional:f} {market.quote}"
        )
        notes = (*notes, created_as)
    stored = candle_store.merge_into_chunks(
        instrument_id=instrument.pk, timeframe=timeframe, candles=candles
    )
    missing = sum(gap.missing for gap in find_gaps(candles.open_time, timeframe))
    try:
        with transaction.atomic():
            CandleImport.objects.create(
                venue=venue,
                instrument=instrument,
                timeframe=timeframe.value,
                file_name=outcome.path.name[:255],
                sha256=digest,
                row_count=len(candles),
                added=stored.added,
                revised=stored.revised,
                missing=missing,
            )
    except IntegrityError:
        # Somebody imported the same file in the meantime; then nothing of it was new here either.
        return replace(outcome, status=ImportStatus.ALREADY_IMPORTED, code="already_imported")
    return replace(
        outcome, added=stored.added, revised=stored.revised, missing=missing, notes=notes
    )
