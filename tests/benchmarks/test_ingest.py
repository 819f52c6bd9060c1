"""A thousand instruments a minute through one worker, asked one by one over HTTP of a simulator beside it.

``make bench`` prints the figures. Processor time is what is measured: the simulator and other processes share the
machine.
"""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from exchanges.models import CandleFeed, CandleTail, FeedHold, Instrument, Venue
from exchanges.services import feeds, ingest
from market.enums import InstrumentKind
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from tests.exchanges.simulator.running import SimulatorProcess
from tests.factories.exchanges import make_venue

# Leases go by the clock of the database, which stands still within a transaction.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

INSTRUMENTS = 1_000
#: One worker has a minute; half of it is left for venues that are slow to answer.
BUDGET_S = 30.0
M1 = Timeframe.M1


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    """A simulator with a thousand markets whose price stands still."""
    prices = {f"C{n:03}/USDT": [[0, 100 + n]] for n in range(INSTRUMENTS)}
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"prices": prices}), encoding="utf-8")
    with SimulatorProcess("--script", str(script), "--weight-limit", "6000000") as process:
        yield process


def make_feeds(venue: Venue, *, last_open_at: datetime) -> None:
    """Let somebody need the minutes of every market, all of which are there up to *last_open_at*."""
    instruments = Instrument.objects.bulk_create(
        Instrument(
            venue=venue,
            symbol=f"C{n:03}/USDT",
            kind=InstrumentKind.SPOT,
            base=f"C{n:03}",
            quote="USDT",
            settle="USDT",
            tick_size=Decimal("0.01"),
            lot_step=Decimal("0.001"),
        )
        for n in range(INSTRUMENTS)
    )
    made = CandleFeed.objects.bulk_create(
        CandleFeed(
            instrument=each,
            timeframe=M1.value,
            backfill_from_at=last_open_at,
            backfilled_from_at=last_open_at,
            last_open_at=last_open_at,
        )
        for each in instruments
    )
    FeedHold.objects.bulk_create(FeedHold(feed=each, holder="bench") for each in made)


def work_until_done(venue: Venue, newest: datetime) -> int:
    """Do what one worker does until every feed has its newest bar; return how many tasks that took."""
    for tasks in range(1, 100):
        feeds.claim_due_feeds()
        ingest.ingest_due(venue_id=venue.pk, timeframe=M1, clock=timezone.now)
        if not CandleFeed.objects.exclude(last_open_at__gte=newest).exists():
            return tasks
    late = CandleFeed.objects.exclude(last_open_at__gte=newest)
    reasons = list(late.values_list("last_error", flat=True).distinct()[:3])
    raise AssertionError(f"{late.count()} feeds never caught up: {reasons}")


def newest_final() -> datetime:
    return from_milliseconds(M1.open_of(to_milliseconds(timezone.now()) - 2_000) - M1.milliseconds)


def test_a_thousand_instruments_a_minute_go_through_one_worker(simulator: SimulatorProcess):
    venue = make_venue("simulator", api_url=simulator.url)
    newest = newest_final()
    make_feeds(venue, last_open_at=newest - timedelta(minutes=1))

    wall, processor = time.perf_counter(), time.process_time()
    tasks = work_until_done(venue, newest)
    wall_s, processor_s = time.perf_counter() - wall, time.process_time() - processor

    assert CandleTail.objects.filter(open_at=newest).count() == INSTRUMENTS
    print(
        f"\n  {INSTRUMENTS:,} instruments: {wall_s:5.1f} s, {processor_s:5.1f} s of processor time"
    )
    print(f"  {tasks} tasks, {INSTRUMENTS / wall_s:,.0f} instruments a second")
    assert processor_s < BUDGET_S
