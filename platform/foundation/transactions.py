"""Two words for where a transaction begins and who may only take part in one."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

P = ParamSpec("P")
R = TypeVar("R")


def transactional(function: Callable[P, R]) -> Callable[P, R]:
    """Run *function* in its own outermost transaction; nesting raises RuntimeError."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with transaction.atomic(durable=True):
            return function(*args, **kwargs)

    return wrapper


def part_of_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse to run *function* unless its caller has opened a transaction."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if not in_transaction():
            raise RuntimeError(f"{function.__qualname__} must run inside a transaction.")
        return function(*args, **kwargs)

    return wrapper


def in_transaction() -> bool:
    """Tell whether a transaction is open; the block that a test case wraps around a test does not count."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def refuse_inside_transaction(what: str) -> None:
    """Raise RuntimeError if *what* (a call that leaves the process) is tried while a transaction is open."""
    if in_transaction():
        raise RuntimeError(f"{what} may not run inside a transaction.")
