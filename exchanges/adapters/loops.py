"""The event loop that a worker process keeps from task to task, and the connections that live in it.

Whoever speaks to venues runs its coroutines here. The main thread of a process, where a worker does its tasks, keeps one
loop; other threads have one for as long as they hold it. After each run nothing is left running: a request that was given
up with its task must not go out in the next one.
"""

import asyncio
import atexit
import contextvars
import itertools
import os
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: Rounds of the loop in which it learns which connections have ended since it last ran.
_ROUNDS_TO_CATCH_UP: Final = 3


_numbers: Final = itertools.count(1)


class _KeptLoop:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.number = next(_numbers)
        self.runner = asyncio.Runner()
        self.closers: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def run(self, coroutine: Coroutine[Any, Any, T], *, begun: Collection[Any] = ()) -> T:
        try:
            answer: T = self.runner.run(_caught_up(coroutine), context=contextvars.copy_context())
            return answer
        finally:
            coroutine.close()
            # What was begun has tasks of its own, which write requests and open connections.
            if not begun:
                self.end_what_is_left()

    def close(self) -> None:
        closers, self.closers = self.closers, []
        try:
            for closer in closers:
                self.runner.run(closer())
        finally:
            self.runner.close()

    def end_what_is_left(self) -> None:
        loop = self.runner.get_loop()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


_kept: _KeptLoop | None = None

#: Loops of the process from which this one was forked: closing them would reach into that one's.
_inherited: list[_KeptLoop] = []


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine* to its end, in the loop that this process keeps."""
    with held() as loop:
        answer: T = loop.run(coroutine)
        return answer


class Held:
    """A loop that is held for several pieces of work: one after the other, or side by side."""

    def __init__(self, kept: _KeptLoop) -> None:
        self._kept = kept
        self._begun: set[asyncio.Task[Any]] = set()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run *coroutine* to its end; what was begun goes on meanwhile."""
        answer: T = self._kept.run(coroutine, begun=self._begun)
        return answer

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Let *coroutine* go on whenever the loop runs, and return its task."""
        loop = self._kept.runner.get_loop()
        task = loop.create_task(_caught_up(coroutine), context=contextvars.copy_context())
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return task

    def go_on(
        self, tasks: "Iterable[asyncio.Task[Any]]", *, until_done: int, within_s: float
    ) -> None:
        """Let what was begun go on until so many of *tasks* are done, or so much time has passed."""
        awaited = set(tasks)
        if awaited:
            least = min(until_done, len(awaited))
            self.run(_some_done(awaited, least=least, within_s=within_s))

    def end(self) -> None:
        """End whatever has been begun and is not done."""
        self._kept.end_what_is_left()


@contextmanager
def held() -> Iterator[Held]:
    """Hold a loop for several runs; nothing of it goes on afterwards."""
    kept = _keep() if is_kept_here() else _KeptLoop()
    holding = Held(kept)
    try:
        yield holding
    finally:
        holding.end()
        if not is_kept_here():
            kept.close()


async def _some_done(tasks: "set[asyncio.Task[Any]]", *, least: int, within_s: float) -> None:
    is_enough = asyncio.Event()
    missing = least

    def count(_: "asyncio.Task[Any]") -> None:
        nonlocal missing
        missing -= 1
        if missing <= 0:
            is_enough.set()

    # One look at each, not one at all of them for each that ends.
    for task in tasks:
        task.add_done_callback(count)
    try:
        await asyncio.wait_for(is_enough.wait(), timeout=within_s)
    except TimeoutError:
        return
    finally:
        for task in tasks:
            task.remove_done_callback(count)


def is_kept_here() -> bool:
    """Tell whether what belongs to a loop outlives the task at hand."""
    return threading.current_thread() is threading.main_thread()


def is_running_in_kept() -> bool:
    """Tell whether the running event loop is the one that this process keeps."""
    return _kept is not None and asyncio.get_running_loop() is _kept.runner.get_loop()


def when_closed(closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Have *closer* run in the kept loop before it ends."""
    _keep().closers.append(closer)


def generation() -> int:
    """Return a number that changes when the kept loop does, so that nothing of an old one is used in a new one."""
    return _keep().number


def close() -> None:
    """End the kept loop and what lives in it; the next run begins anew."""
    global _kept
    kept, _kept = _kept, None
    if kept is not None and kept.pid == os.getpid():
        kept.close()


def _keep() -> _KeptLoop:
    global _kept  # noqa: PLW0603  one for each process
    if _kept is not None and _kept.pid != os.getpid():
        _inherited.append(_kept)
        _kept = None
    if _kept is None:
        _kept = _KeptLoop()
    return _kept


async def _caught_up(coroutine: Coroutine[Any, Any, T]) -> T:
    # A connection that the venue has closed in the meantime would take an order and lose it.
    for _ in range(_ROUNDS_TO_CATCH_UP):
        await asyncio.sleep(0)
    return await coroutine


@atexit.register
def _close_at_exit() -> None:
    with suppress(Exception):
        close()
