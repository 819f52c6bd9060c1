"""Logs are events with fields: a dotted name, and ids as extra fields; never a secret."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from foundation.scrubbing import scrub, scrub_value
from foundation.tenancy import current_owner_id

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
    "data",
    "request",
}

#: What every line of the work in hand carries: ``request_id``, ``person_id``, ``task``, ``task_id``.
_bound: ContextVar[Mapping[str, str | int]] = ContextVar("bound", default=MappingProxyType({}))


def bind(**fields: str | int | None) -> Token[Mapping[str, str | int]]:
    """Add *fields* to every line from here on, until :func:`release`; None adds nothing."""
    given = {name: value for name, value in fields.items() if value is not None}
    return _bound.set({**_bound.get(), **given})


def release(token: Token[Mapping[str, str | int]]) -> None:
    """Take back what :func:`bind` has added."""
    _bound.reset(token)


@contextmanager
def bound(**fields: str | int | None) -> Iterator[None]:
    """Add *fields* to every line inside."""
    token = bind(**fields)
    try:
        yield
    finally:
        release(token)


def bound_fields() -> Mapping[str, str | int]:
    """Return what is bound here."""
    return _bound.get()


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    own = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    fields = {**_bound.get(), **own}
    owner_id = current_owner_id()
    if owner_id is not None:
        fields.setdefault("owner_id", owner_id)
    return fields


class ConsoleFormatter(logging.Formatter):
    """One line for a person: time, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return ``12:00:00 INFO order.submitted order_id=1``."""
        at = datetime.fromtimestamp(record.created, tz=UTC).strftime("%H:%M:%S")
        fields = " ".join(f"{key}={value}" for key, value in _fields(record).items())
        line = f"{at} {record.levelname:<7} {record.getMessage()} {fields}".rstrip()
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return scrub(line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON with its fields beside the standard ones."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(scrub_value(entry), default=str, ensure_ascii=False)
