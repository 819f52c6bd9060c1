"""What a bar of one group costs for 1 deployment and for 50,000: computed once, its candles read once.

Nobody acts on the bar, so what is left is what everybody shares; the statements by which shards are
stepped grow with their number, of which each has up to 1,000 deployments, and are printed.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from exchanges.selectors import candles as stored
from exchanges.services import candles as candle_store
from exchanges.services.candles import SeriesBars
from market.candles import Candles
from market.timeframes import MINUTE_MS, Timeframe
from strategies.views import MarketView
from tests.benchmarks.live.crowd import PRICE, Crowd, make_crowd
from trading.models import GroupShard
from trading.services import evaluation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1_800)]

SIZES = [int(each) for each in os.environ.get("LIVE_SIZES", "1,50,5000,50000").split(",")]
#: (evaluations, reads of candles) of a bar by size, of the sizes measured so far.
_SEEN: dict[int, tuple[int, int]] = {}


def _counting(load: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    """``load`` itself, whose name is written into ``calls`` at each call."""

    def counted(**arguments: Any) -> Any:
        calls.append(load.__name__)
        return load(**arguments)

    return counted


@pytest.mark.parametrize("deployments", SIZES)
def test_a_bar_is_computed_and_read_once_however_many_follow_it(deployments: int, monkeypatch):
    began = time.monotonic()
    crowd = make_crowd(deployments=deployments, instruments=1, groups_each=1)
    made_in_s = time.monotonic() - began
    views: list[int] = []

    def counted(history: Candles, timeframe: Timeframe) -> MarketView:
        views.append(len(history))
        return MarketView(history, timeframe)

    monkeypatch.setattr(evaluation, "MarketView", counted)
    reads: list[str] = []
    for name in ("load_candles", "load_newest"):
        # Candles are read past Django's log of queries, so the calls are counted.
        monkeypatch.setattr(stored, name, _counting(getattr(stored, name), reads))
    (group_ids,) = crowd.groups.values()
    _close_bar(crowd, 0)
    evaluation.evaluate_signal_groups(group_ids=group_ids, now=timezone.now())
    views.clear()
    reads.clear()
    _close_bar(crowd, 1)

    began, used = time.monotonic(), time.process_time()
    with CaptureQueriesContext(connection) as captured:
        evaluation.evaluate_signal_groups(group_ids=group_ids, now=timezone.now())
    wall_s, used = time.monotonic() - began, time.process_time() - used

    print(
        f"\n  {deployments:6,} deployments in {GroupShard.objects.count()} shards"
        f" (made in {made_in_s:.0f} s): {len(views)} evaluations, {len(reads)} reads of candles,"
        f" {len(captured)} statements, {wall_s * 1e3:.0f} ms, {used * 1e3:.0f} ms of processor time"
        f" (load {os.getloadavg()[0]:.1f})"
    )
    assert len(views) == 1
    assert reads
    _SEEN[deployments] = (len(views), len(reads))
    assert len(set(_SEEN.values())) == 1, _SEEN


def _close_bar(crowd: Crowd, number: int) -> None:
    open_ms = crowd.first_open_ms + number * MINUTE_MS
    price = 0.985 * PRICE
    columns = [np.array([value]) for value in (price, price, price, price, 10.0)]
    bar = Candles(np.array([open_ms], dtype=np.int64), *columns)
    with transaction.atomic():
        candle_store.append_closed(
            timeframe=Timeframe.M1, batches=[SeriesBars(crowd.instruments[0].pk, bar)]
        )
