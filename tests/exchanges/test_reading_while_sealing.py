"""A reader never misses a bar, whatever is being moved from the tail into chunks meanwhile."""

import threading
from datetime import UTC, datetime

import numpy as np
import pytest
from django.db import connection, transaction

from exchanges.models import CandleChunk, CandleTail
from exchanges.selectors import candles as reads
from exchanges.services import candles as store
from exchanges.services import sealing
from exchanges.services.candles import SeriesBars
from market.timeframes import HOUR_MS, Timeframe
from tests.factories.exchanges import NEW_YEAR_MS, make_candles, make_instrument

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 40
BARS_A_ROUND = 20
MUCH_LATER = datetime(2025, 6, 1, tzinfo=UTC)


def test_bars_are_never_missing_while_they_are_sealed():
    instrument_id = make_instrument().pk
    candles = make_candles([100.0 + n for n in range(ROUNDS * BARS_A_ROUND)])
    written = [0]
    done = threading.Event()

    def write() -> None:
        try:
            for start in range(0, len(candles), BARS_A_ROUND):
                bars = SeriesBars(instrument_id, candles.slice(start, start + BARS_A_ROUND))
                with transaction.atomic():
                    store.append_closed(timeframe=Timeframe.H1, batches=[bars])
                written[0] = start + BARS_A_ROUND
                sealing.seal_series(
                    instrument_id=instrument_id, timeframe=Timeframe.H1, now=MUCH_LATER
                )
        finally:
            done.set()
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    looks = 0
    while not done.is_set():
        at_least = written[0]
        loaded = reads.load_candles(
            instrument_id=instrument_id,
            timeframe=Timeframe.H1,
            from_ms=NEW_YEAR_MS,
            to_ms=NEW_YEAR_MS + len(candles) * HOUR_MS,
        )
        assert len(loaded) >= at_least
        assert np.array_equal(loaded.open_time, candles.open_time[: len(loaded)])
        looks += 1
    writer.join()

    assert looks > 10
    assert CandleTail.objects.count() == 0
    assert CandleChunk.objects.get().row_count == len(candles)
