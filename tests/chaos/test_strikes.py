"""What a chaos run consists of follows from its seed, and a strike reaches whom it is meant for."""

import subprocess
import sys
from threading import Event

from foundation.processes.watchdog_process import is_running
from tests.chaos import strikes
from tests.chaos.strikes import VICTIMS, How, Strike
from tests.flows.stack import eventually

#: Starts a child, tells its number, and waits.
_PARENT = (
    "import subprocess, sys;"
    "child = subprocess.Popen([sys.executable, '-S', '-c', 'input()'], stdin=subprocess.PIPE);"
    "print(child.pid, flush=True); input()"
)


def test_the_same_seed_strikes_the_same_and_five_minutes_strike_everybody():
    drawn = strikes.draw(7, seconds=300)

    assert strikes.draw(7, seconds=300) == drawn
    assert strikes.draw(8, seconds=300) != drawn
    assert {strike.victim for strike in drawn} == set(VICTIMS)
    assert {strike.how for strike in drawn} == set(How)
    asleep_s = sum(each.sleep_s for each in drawn if each.how is How.SLEEP)
    assert 250 < asleep_s + sum(each.pause_s for each in drawn) <= 300


def test_a_strike_reaches_the_child_alone_or_all_and_spares_who_is_down():
    command = (sys.executable, "-S", "-c", _PARENT)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        plan = [
            Strike(0.0, "nobody", How.KILL, 0.0),
            Strike(0.0, "web", How.SLEEP, 0.01),
            Strike(0.0, "web", How.CHILD, 0.0),
        ]

        pids = {"web": parent.pid}
        first = strikes.carry_out(plan, pid_of=pids.get, over=Event())

        assert [blow.strike.how for blow in first] == [How.SLEEP, How.CHILD]
        assert parent.poll() is None
        eventually(lambda: not is_running(child), what="the child is dead")
        strikes.carry_out([Strike(0.0, "web", How.KILL, 0.0)], pid_of=pids.get, over=Event())
        assert parent.wait(10) == -9
