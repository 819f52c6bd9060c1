"""From the moment a closed candle is known to the commit of everything that is decided on it.

Paper deployments in 300 signal groups of a crossing of averages, 50 markets with six pairs of
parameters each, on minutes of which a day lies behind. On the first bar a tenth of the deployments
enters, a tenth holds a position and the others have nothing to do; on the second bar the entries
fill. The bars are stored and told of as the feed does, all at once; two real worker processes share
the two cores with the database and with this process, which looks every few milliseconds which
groups are done.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone

from exchanges.events import CANDLES_CLOSED
from exchanges.models import Instrument
from exchanges.services import candles as candle_store
from exchanges.services.candles import SeriesBars
from foundation import events
from market.candles import Candles
from market.enums import OrderStatus
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds
from tests.benchmarks.live.crowd import PRICE, Crowd, make_crowd, make_holders
from tests.benchmarks.live.workers import Backends, Spent, processor_seconds, workers
from trading.models import DeploymentInstrument, Fill, Order, OrderIntent
from trading.services import submission

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.enable_socket,
    pytest.mark.timeout(1_800),
]

INSTRUMENTS = 50
GROUPS_EACH = 6
RISEN = 1.03 * PRICE
FALLEN = 0.985 * PRICE
SIZES = [int(each) for each in os.environ.get("LIVE_DEPLOYMENTS", "5000,50000").split(",")]

#: Deployments by shard.
_SIZES = """
    SELECT shard.id, count(*) FROM trading_groupshard shard
    JOIN trading_deploymentrevision revision ON revision.group_id = shard.group_id
     AND revision.deployment_id % shard.of = shard.number
    GROUP BY shard.id
"""
_DONE = "SELECT id FROM trading_groupshard WHERE last_bar_close_at >= %s"


@pytest.mark.parametrize("deployments", SIZES)
def test_from_a_known_close_to_the_commit_of_all_decisions(deployments: int, tmp_path: Path):
    began = time.monotonic()
    crowd = make_crowd(
        deployments=deployments,
        instruments=INSTRUMENTS,
        groups_each=GROUPS_EACH,
    )
    tenth = INSTRUMENTS // 10
    held = make_holders(
        crowd.instruments[tenth : 2 * tenth],
        opened_at=from_milliseconds(crowd.first_open_ms - MINUTE_MS),
    )
    print(
        f"\n  {deployments:,} deployments, {held:,} hold; made in {time.monotonic() - began:.0f} s"
    )
    print(f"  system load at the start {os.getloadavg()[0]:.1f}")
    sizes = _sizes()
    backends = Backends()
    with workers("evaluate", processes=2, log=tmp_path / "workers.log") as spent:
        # A platform that runs has loaded its code long ago.
        _measure("(the first bar)", crowd, 0, set(), sizes, spent, backends)
        rising = set(crowd.instruments[:tenth])
        _measure("a tenth enters", crowd, 1, rising, sizes, spent, backends)
        entries = OrderIntent.objects.count()
        assert entries == DeploymentInstrument.objects.filter(instrument__in=rising).count()
        began, used = time.monotonic(), time.process_time()
        while Order.objects.filter(status=OrderStatus.ACCEPTED.value).count() < entries:
            submission.submit_due_intents(now=timezone.now(), calls_others=False)
            refused = Order.objects.filter(status=OrderStatus.DENIED.value)
            assert not list(refused.values_list("reason_message", flat=True)[:1])
            assert time.monotonic() - began < 300, "the orders were never accepted"
        print(
            f"  {entries:,} paper orders accepted in {time.monotonic() - began:.1f} s by one process,"
            f" {time.process_time() - used:.1f} s of its processor time"
        )
        _measure("a tenth fills", crowd, 2, rising, sizes, spent, backends)
        assert Fill.objects.count() == entries


def _measure(
    what: str,
    crowd: Crowd,
    number: int,
    rising: set[Instrument],
    sizes: dict[int, int],
    spent: Spent,
    backends: Backends,
) -> None:
    """Store one bar of every market, tell of it, and print when which deployments were done."""
    open_ms = crowd.first_open_ms + number * MINUTE_MS
    closes_at = from_milliseconds(open_ms + MINUTE_MS)
    batches = [
        SeriesBars(each.pk, _bar(open_ms, RISEN if each in rising else FALLEN))
        for each in crowd.instruments
    ]
    ours, theirs, all_of_it = spent.seconds(), backends.seconds(), processor_seconds()
    load = os.getloadavg()[0]
    with transaction.atomic():
        candle_store.append_closed(timeframe=Timeframe.M1, batches=batches)
        events.publish(
            CANDLES_CLOSED,
            occurred_at=timezone.now(),
            instrument_ids=[each.pk for each in crowd.instruments],
            timeframe=Timeframe.M1.value,
            last_close_ms=open_ms + MINUTE_MS,
        )
        known = time.monotonic()
    done: dict[int, float] = {}
    while len(done) < len(sizes):
        with connection.cursor() as cursor:
            cursor.execute(_DONE, [closes_at])
            at = time.monotonic() - known
            for (shard_id,) in cursor.fetchall():
                done.setdefault(shard_id, at)
        backends.look()
        assert at < 300, "the workers never got there"
        time.sleep(0.02)
    used, theirs = spent.seconds() - ours, backends.seconds() - theirs
    all_of_it = processor_seconds() - all_of_it
    waits = np.repeat([done[shard] for shard in sizes], [sizes[shard] for shard in sizes])
    p50, p99 = np.percentile(waits, [50, 99])
    print(
        f"  {what:16s} p50 {p50:6.2f} s   p99 {p99:6.2f} s   all {max(done.values()):6.2f} s"
        f"   processor time: workers {used:.1f} s, the database's processes {theirs:.1f} s,"
        f" the whole machine {all_of_it:.1f} s (load {load:.1f})"
    )


def _sizes() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        return dict(cursor.fetchall())


def _bar(open_ms: int, price: float) -> Candles:
    values = [price, price, price, price, 10.0]
    return Candles(np.array([open_ms], dtype=np.int64), *(np.array([value]) for value in values))
