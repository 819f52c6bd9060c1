"""Whose data is being worked on.

Requests and task frames enter :func:`scope`; batch workers enter :func:`bypass` and say why. Today the scope is only
known (logs carry it); the database enforces it once row-level security is switched on, without a change to callers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest

_owner: ContextVar[int | None] = ContextVar("owner", default=None)


def current_owner_id() -> int | None:
    """Return the person whose data is being worked on, or None outside a scope."""
    return _owner.get()


@contextmanager
def scope(owner_id: int | None) -> Iterator[None]:
    """Work on the data of one person."""
    token = _owner.set(owner_id)
    try:
        yield
    finally:
        _owner.reset(token)


def continue_as(request: HttpRequest, owner_id: int) -> None:
    """Go on within the person whom a token proved, until the scope of the request ends."""
    _owner.set(owner_id)
    request.META["PERSON_ID"] = owner_id


@contextmanager
def bypass(reason: str) -> Iterator[None]:
    """Work across people, as batch workers do; *reason* names the work."""
    if not reason:
        raise ValueError("Work across people needs a reason.")
    with scope(None):
        yield
