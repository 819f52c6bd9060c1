"""Columns whose values come from the pure vocabularies of ``market``."""

from enum import StrEnum


def choices_of(vocabulary: type[StrEnum]) -> list[tuple[str, str]]:
    """Return Django choices for *vocabulary*: the stored value, and a label such as ``Stop loss``."""
    return [(member.value, member.value.replace("_", " ").capitalize()) for member in vocabulary]
