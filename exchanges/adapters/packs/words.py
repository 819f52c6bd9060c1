"""How venues say no: with a status of 4xx or with 200, each with its own names for code and text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Word:
    """A venue's own no: its code and its text."""

    code: str
    message: str = ""


def word_in(
    document: Mapping[str, Any], *, code: str, message: str, fine: frozenset[str] = frozenset()
) -> Word | None:
    """Return the no in the fields *code* and *message*, unless the code is one of those that mean yes."""
    value = document.get(code)
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    said = str(value)
    return None if said in fine or not said else Word(said, str(document.get(message, "")))
