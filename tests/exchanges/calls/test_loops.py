"""The loop that a process keeps: nothing is left running in it, and no fork or thread reaches into another's."""

import asyncio
import os
import threading
from contextvars import ContextVar

import pytest

from exchanges.adapters import loops

_told: ContextVar[str] = ContextVar("told", default="nothing")


async def here():
    return asyncio.get_running_loop()


def test_runs_follow_one_another_in_one_loop():
    assert loops.run(here()) is loops.run(here())


def test_what_a_run_leaves_behind_does_not_go_on_in_the_next_one():
    went_on = []

    async def later():
        await asyncio.sleep(0.01)
        went_on.append("sent")

    async def leave():
        asyncio.get_running_loop().create_task(later())

    loops.run(leave())
    loops.run(asyncio.sleep(0.05))

    assert went_on == []


def test_a_run_that_is_broken_off_from_outside_leaves_nothing_behind_either():
    """As a soft time limit does: the exception comes up in the loop itself, not in the task."""
    went_on = []

    async def send():
        asyncio.get_running_loop().call_later(0.01, stop)
        await asyncio.sleep(0.03)
        went_on.append("sent")

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loops.run(send())
    loops.run(asyncio.sleep(0.06))

    assert went_on == []


def test_a_run_sees_what_the_code_around_it_has_set():
    async def told():
        return _told.get()

    loops.run(told())
    token = _told.set("this")

    assert loops.run(told()) == "this"
    _told.reset(token)


def test_a_new_loop_closes_what_lived_in_the_old_one():
    closed = []

    async def close():
        closed.append(True)

    before = loops.generation()
    loops.when_closed(close)
    loops.close()

    assert closed == [True]
    assert loops.generation() != before


def test_a_fork_begins_with_a_loop_of_its_own():
    before = loops.run(here())

    child = os.fork()
    if child == 0:
        os._exit(0 if loops.run(here()) is not before else 1)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert loops.run(here()) is before


def test_another_thread_has_a_loop_only_as_long_as_it_holds_it():
    seen = []

    def work():
        with loops.held() as loop:
            seen.extend([loop.run(here()), loop.run(here()), loops.is_kept_here()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    first, second, is_kept = seen
    assert first is second
    assert first is not loops.run(here())
    assert first.is_closed()
    assert not is_kept
