"""What people write on their runs: a few short tags, and a note."""

from collections.abc import Iterable
from typing import Final

from market.errors import FieldProblem, InvalidInputError

MAXIMUM_TAGS: Final = 10
MAXIMUM_TAG_LENGTH: Final = 30
MAXIMUM_NOTE_LENGTH: Final = 2_000


class InvalidAnnotationError(InvalidInputError):
    """Tags or the note are not ones that can be kept."""

    code = "invalid_annotation"


def parse_tags(text: str) -> list[str]:
    """Return the tags of *text*, in which commas stand between them."""
    return [part for part in text.split(",") if part.strip()]


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Return *tags* in small letters, trimmed, each once, in their order.

    Raises InvalidAnnotationError for too many, too long or unreadable ones.
    """
    kept = list(dict.fromkeys(" ".join(tag.split()).lower() for tag in tags))
    if len(kept) > MAXIMUM_TAGS:
        raise _refusal("tags", f"A run has at most {MAXIMUM_TAGS} tags.")
    for tag in kept:
        if not 0 < len(tag) <= MAXIMUM_TAG_LENGTH:
            raise _refusal("tags", f"A tag has from 1 to {MAXIMUM_TAG_LENGTH} characters.")
        if "," in tag or not tag.isprintable():
            raise _refusal("tags", "A tag has printable characters and no comma.")
    return kept


def checked_note(note: str) -> str:
    """Return *note* trimmed; raise InvalidAnnotationError if it is too long or has a null."""
    kept = note.replace("\r\n", "\n").strip()
    if len(kept) > MAXIMUM_NOTE_LENGTH:
        raise _refusal("notes", f"A note has at most {MAXIMUM_NOTE_LENGTH:,} characters.")
    if "\x00" in kept:
        raise _refusal("notes", "A note has no null characters.")
    return kept


def _refusal(field: str, message: str) -> InvalidAnnotationError:
    problem = FieldProblem(field, InvalidAnnotationError.code, message)
    return InvalidAnnotationError(message, problems=[problem])
