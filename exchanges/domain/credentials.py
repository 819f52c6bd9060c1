"""What people paste as API keys: trimmed where that is harmless, refused where it is not."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from market.errors import FieldProblem, InvalidInputError

_SHORTEST: Final = 16
_LONGEST: Final = 256
_LAST_SHOWN: Final = 4

#: Blank to the eye although Python does not strip it; web pages and messengers add these when text is copied.
_INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"
_EDGE: Final = re.compile(rf"^[\s{_INVISIBLE}]+|[\s{_INVISIBLE}]+$")
_ALLOWED: Final = re.compile(r"[\x21-\x7e]+")

_LABELS: Final = {"api_key": "API key", "secret": "secret", "passphrase": "passphrase"}


@dataclass(frozen=True, slots=True)
class PastedCredential:
    """Keys as a person gave them; its representation shows none of them."""

    api_key: str
    secret: str
    passphrase: str = ""

    def __repr__(self) -> str:
        return "PastedCredential(«secret»)"


@dataclass(frozen=True, slots=True)
class CleanCredential:
    """Keys that can be sent to a venue; ``notes`` tell the person what was trimmed."""

    api_key: str
    secret: str
    passphrase: str
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return "CleanCredential(«secret»)"

    @property
    def last_four(self) -> str:
        """The only part of the API key that is ever shown again."""
        return self.api_key[-_LAST_SHOWN:]


class CredentialFormatError(InvalidInputError):
    """The pasted keys cannot be keys; every problem is named by its field, none by its value."""

    code = "credential_invalid_format"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__(" ".join(problem.message for problem in problems), problems=problems)


def clean_credential(pasted: PastedCredential) -> CleanCredential:
    """Trim what surrounds the keys and check the rest; raise CredentialFormatError with all problems at once."""
    given = {
        "api_key": pasted.api_key,
        "secret": pasted.secret,
        "passphrase": pasted.passphrase,
    }
    trimmed = {field: _EDGE.sub("", value) for field, value in given.items()}
    problems = [
        problem
        for field, value in trimmed.items()
        if (problem := _problem_of(field, value)) is not None
    ]
    if not problems:
        problems = _mix_ups(trimmed)
    if problems:
        raise CredentialFormatError(problems)
    notes = tuple(
        f"Blanks around the {_LABELS[field]} were removed."
        for field, value in given.items()
        if value != trimmed[field]
    )
    return CleanCredential(trimmed["api_key"], trimmed["secret"], trimmed["passphrase"], notes)


def _problem_of(field: str, value: str) -> FieldProblem | None:
    label = _LABELS[field]
    if not value:
        if field == "passphrase":
            return None
        return FieldProblem(field, "credential_missing", f"The {label} is empty.")
    if "PRIVATE KEY" in value:
        return FieldProblem(
            field,
            "credential_unsupported_kind",
            f"The {label} is a private key file; make a system-generated (HMAC) key instead.",
        )
    blank = next((character for character in value if _is_blank(character)), None)
    if blank is not None:
        return FieldProblem(
            field,
            "credential_invalid_format",
            f"The {label} has a blank or a line break inside; copy it again as one piece.",
        )
    if not _ALLOWED.fullmatch(value):
        return FieldProblem(
            field,
            "credential_invalid_format",
            f"The {label} has characters that no key has; copy it again from the exchange.",
        )
    return _length_problem(field, value)


def _length_problem(field: str, value: str) -> FieldProblem | None:
    label, code = _LABELS[field], "credential_invalid_length"
    if len(value) < _SHORTEST and field != "passphrase":
        message = (
            f"The {label} is too short: at least {_SHORTEST} characters, and this has {len(value)}."
        )
        return FieldProblem(field, code, message)
    if len(value) > _LONGEST:
        message = (
            f"The {label} is too long: at most {_LONGEST} characters, and this has {len(value)}."
        )
        return FieldProblem(field, code, message)
    return None


def _mix_ups(values: dict[str, str]) -> list[FieldProblem]:
    if values["api_key"] == values["secret"]:
        return [
            FieldProblem(
                "secret",
                "credential_same_twice",
                "The API key and the secret are the same; the exchange shows them as two values.",
            )
        ]
    return []


def _is_blank(character: str) -> bool:
    return character in _INVISIBLE or unicodedata.category(character) in {"Zs", "Zl", "Zp", "Cc"}
