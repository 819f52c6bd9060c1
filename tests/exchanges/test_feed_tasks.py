"""The entry points of feeds and store are known by their names, travel on their queues and do their one call."""

import pytest
from celery import current_app
from django.conf import settings

from exchanges.models import CandleTail
from exchanges.schedule import BEAT_SCHEDULE
from foundation.queue import route_task
from market.timeframes import Timeframe
from tests.factories.exchanges import make_candles, make_instrument, make_venue

QUEUES = {
    "exchanges.tick_feeds": "ingest",
    "exchanges.ingest_candles": "ingest",
    "exchanges.measure_clocks": "ingest",
    "exchanges.sync_instruments": "ingest",
    "exchanges.watch_feeds": "default",
    "exchanges.repair_gaps": "ingest",
    "exchanges.refresh_quotes": "ingest",
    "exchanges.refresh_funding": "ingest",
    "exchanges.sweep_history": "ingest",
    "exchanges.seal_candles": "default",
    "exchanges.prune_candles": "default",
}


@pytest.mark.parametrize(("name", "queue"), QUEUES.items())
def test_a_task_travels_on_its_queue(name, queue):
    assert name in current_app.tasks
    assert route_task(name) == {"queue": queue}


def test_everything_that_is_scheduled_exists_and_travels_on_a_queue_of_ours():
    for entry in BEAT_SCHEDULE.values():
        assert entry["task"] in current_app.tasks
        route = route_task(entry["task"])
        assert route is not None
        assert route["queue"] in settings.QUEUES


@pytest.mark.django_db
def test_every_task_runs_when_there_is_nothing_to_do():
    venue = make_venue()
    for name in QUEUES:
        arguments = (
            {"venue_id": venue.pk, "timeframe": "1h"} if name == "exchanges.ingest_candles" else {}
        )
        current_app.tasks[name](**arguments)


@pytest.mark.django_db
def test_sealing_goes_by_the_wall_clock():
    row = make_candles([100.0]).rows()[0]
    CandleTail.objects.create(
        instrument=make_instrument(),
        timeframe=Timeframe.H1.value,
        open_at="2024-01-01T00:00:00Z",
        open=row[1],
        high=row[2],
        low=row[3],
        close=row[4],
        volume=row[5],
    )

    current_app.tasks["exchanges.seal_candles"]()

    assert CandleTail.objects.count() == 0
