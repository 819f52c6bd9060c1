"""How long a person waits for a backtest of a year of minutes: from the request to the stored result.

The real services on PostgreSQL, in one process that has its kernels loaded, as a worker has. Figures are
printed and never compared with a limit.
"""

import time
from datetime import timedelta

import pytest
from django.db import transaction

from backtesting import engine
from backtesting.models import RunStatus
from backtesting.services import execution
from exchanges.selectors import candles as reads
from exchanges.services import candles as store
from market.timeframes import DAY_MS, Timeframe, from_milliseconds
from strategies import registry
from strategies.views import MarketView
from tests.benchmarks.test_candle_store import BARS, YEAR_ENDS_MS, make_year
from tests.factories import strategies as strategy_factory
from tests.factories.accounts import make_person
from tests.factories.backtesting import make_run
from tests.factories.billing import with_plan
from tests.factories.exchanges import NEW_YEAR_MS, make_instrument

pytestmark = pytest.mark.django_db

FIRST_DAY_AT = from_milliseconds(NEW_YEAR_MS + DAY_MS)


@pytest.fixture
def year():
    strategy_factory.make_catalogue()
    instrument = make_instrument()
    with transaction.atomic():
        store.merge_into_chunks(
            instrument_id=instrument.pk, timeframe=Timeframe.M1, candles=make_year()
        )
    engine.preload()
    return instrument


@pytest.fixture(params=["the database", "this machine"])
def source(request, settings, tmp_path):
    """Say where the candles come from."""
    settings.CANDLE_CACHE_FOLDER = tmp_path
    settings.CANDLE_CACHE_BYTES = 10**9 if request.param == "this machine" else 0
    return request.param


def test_loading_a_year_of_minutes(year, source):
    def load():
        return reads.load_candles(
            instrument_id=year.pk,
            timeframe=Timeframe.M1,
            from_ms=NEW_YEAR_MS,
            to_ms=YEAR_ENDS_MS,
        )

    load()
    spent = []
    for _ in range(15):
        start = time.perf_counter()
        loaded = load()
        spent.append(time.perf_counter() - start)

    print(f"\n{BARS:,} minutes from {source}: {min(spent) * 1e3:.2f} ms")
    assert len(loaded) == BARS


def test_a_year_of_minutes_from_the_request_to_the_result(year, source):
    person = with_plan(make_person())
    spent = []
    for number in range(6):
        # Another window each time: an equal request would be answered by the result that is there.
        begins = FIRST_DAY_AT + timedelta(minutes=number)
        start = time.perf_counter()
        run = make_run(
            person,
            now=from_milliseconds(YEAR_ENDS_MS),
            timeframe="1m",
            from_at=begins,
            to_at=from_milliseconds(YEAR_ENDS_MS),
            parameters={"short_ema_period": 50, "long_ema_period": 200},
        )
        asked = time.perf_counter()
        execution.execute_run(run_id=run.pk)
        spent.append((time.perf_counter() - start, asked - start))
    run.refresh_from_db()
    assert run.status == RunStatus.DONE, run.error_message

    whole, asking = min(spent)
    print(
        f"\n{run.bar_count:,} minutes from {source}, request to result: {whole * 1e3:.0f} ms"
        f" ({asking * 1e3:.0f} ms of it the request; {run.trades.count():,} trades)"
    )


def test_the_lines_of_a_year_of_minutes():
    candles = make_year()
    view = MarketView(candles, Timeframe.M1)
    for slug in ("ema-crossover", "macd-mtf-forecast"):
        definition = registry.get_definition(slug)
        params = definition.default_params()
        definition.overlays(MarketView(candles.slice(0, 9), Timeframe.M1), params)
        start = time.perf_counter()
        lines = definition.overlays(view, params)
        spent = time.perf_counter() - start

        print(f"\n{len(lines)} lines of {slug} over {BARS:,} minutes: {spent * 1e3:.0f} ms")
        assert {len(line.values) for line in lines} == {BARS}
