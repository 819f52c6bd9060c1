"""A worker killed with SIGKILL at every place that matters: nothing is lost or counts twice."""

import multiprocessing
import signal
from datetime import timedelta

import numpy as np
import pytest
from django.db import connections
from django.utils import timezone

from backtesting.models import RunStatus, Sweep, SweepChunk
from backtesting.selectors import sweeps as selectors
from backtesting.services import chunks, sweeps
from foundation import crashpoints
from tests.factories import backtesting as run_factory
from tests.factories.accounts import make_person
from tests.factories.sweeps import make_done_sweep, make_sweep, work_through

pytestmark = [
    pytest.mark.flow,
    pytest.mark.enable_socket,
    pytest.mark.django_db(transaction=True),
]

POINTS = [name for name in crashpoints.CRASHPOINTS if name.startswith("sweeps.")]


def killed_at(point, sweep):
    """Work on *sweep* in a process that dies at *point*; return whether it got there."""

    def die():
        crashpoints.arm(point)
        chunks.work_on_sweep(sweep_id=sweep.pk, now=timezone.now())

    connections.close_all()
    worker = multiprocessing.get_context("fork").Process(target=die)
    worker.start()
    worker.join(timeout=60)
    return worker.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("method", ["GRID", "GUIDED"])
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_worker_costs_its_chunk_and_the_result_is_the_same(point, method, monkeypatch):
    monkeypatch.setattr(sweeps, "_CHUNK_TRIALS", 3)
    monkeypatch.setattr(sweeps, "_GUIDED_CHUNK_TRIALS", 3)
    run_factory.make_market()
    wanted = {"method": method, "trials": 9, "now": timezone.now()}
    expected = make_done_sweep(make_person("grace@example.com"), **wanted)
    sweep = make_sweep(make_person(), **wanted)
    chunks.work_on_sweep(sweep_id=sweep.pk, now=timezone.now())

    assert killed_at(point, sweep)
    sweep.refresh_from_db()
    assert sweep.trials_done == (6 if point == "sweeps.stored" else 3)

    past = timezone.now() - timedelta(minutes=1)
    Sweep.objects.filter(pk=sweep.pk).update(lease_until=past)
    SweepChunk.objects.filter(sweep=sweep, lease_until__isnull=False).update(lease_until=past)
    sweeps.look_after_sweeps(now=timezone.now())
    work_through(sweep, now=timezone.now())

    assert (sweep.status, sweep.trials_done) == (RunStatus.DONE, 9)
    assert sweep.best == expected.best
    found, whole = selectors.trials_of(sweep), selectors.trials_of(expected)
    assert found.points == whole.points
    assert np.array_equal(found.figures, whole.figures, equal_nan=True)
