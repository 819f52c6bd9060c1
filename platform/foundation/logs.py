"""Logs are events with fields: a dotted name, and ids as extra fields."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from foundation.tenancy import current_owner_id

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
    "data",
}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    owner_id = current_owner_id()
    if owner_id is not None:
        fields.setdefault("owner_id", owner_id)
    return fields


class ConsoleFormatter(logging.Formatter):
    """One line for a person: time, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return ``12:00:00 INFO order.submitted order_id=1``."""
        at = datetime.fromtimestamp(record.created, tz=UTC).strftime("%H:%M:%S")
        fields = " ".join(
            f"{key}={value}" for key, value in _fields(record).items() if key != "request"
        )
        line = f"{at} {record.levelname:<7} {record.getMessage()} {fields}".rstrip()
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON with its fields beside the standard ones."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **{key: value for key, value in _fields(record).items() if key != "request"},
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)
