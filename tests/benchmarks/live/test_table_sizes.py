"""The same pages and the same bar with empty tables and with ten million decisions and a million orders.

5,000 paper deployments in 300 groups; the one who looks has ten of them and a tenth of all orders.
Each page is asked for four times and the fastest counts, because it is the database's part that
must not grow; the number of queries must be the same, and none may read a whole large table.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from exchanges.services import candles as candle_store
from exchanges.services.candles import SeriesBars
from market.candles import Candles
from market.timeframes import MINUTE_MS, Timeframe
from tests.benchmarks.live.crowd import PRICE, Crowd, make_crowd
from tests.benchmarks.live.filling import LARGE_TABLES, Amount, fill_tables
from trading.models import Deployment, Order
from trading.services import evaluation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3_600)]

AMOUNT = Amount(
    decisions=int(os.environ.get("LIVE_DECISIONS", "10000000")),
    orders=int(os.environ.get("LIVE_ORDERS", "1000000")),
)
DEPLOYMENTS = int(os.environ.get("LIVE_DEPLOYMENTS", "5000").split(",", maxsplit=1)[0])
#: A page may take so long at the 95th percentile: performance.md.
PAGE_GOAL_S = 0.3
DASHBOARD_QUERIES = 30
_TIMES = 4


@dataclass(frozen=True, slots=True)
class Looked:
    """How long something took, with how many queries, and which large tables were read whole."""

    seconds: float
    queries: int
    scanned: frozenset[str]


def test_pages_and_a_bar_take_as_long_with_full_tables_as_with_empty_ones():
    print(f"\n  system load at the start {os.getloadavg()[0]:.1f}")
    crowd = make_crowd(deployments=DEPLOYMENTS, instruments=50, groups_each=6)
    owner = User.objects.get(email="person0@example.com")
    client = Client()
    client.force_login(owner)
    deployment = Deployment.objects.filter(owner=owner).order_by("pk")[:1].get()
    before = timezone.now()
    _bar(crowd, 0)
    empty = _look(client, deployment)
    empty["one bar of 300 groups"] = _evaluate(crowd, 1)

    began = time.monotonic()
    fill_tables(AMOUNT, owner_id=owner.pk, before=before)
    print(
        f"  {AMOUNT.decisions:,} decisions, {AMOUNT.orders:,} intents, orders and fills,"
        f" {3 * AMOUNT.orders:,} steps of orders; made in {time.monotonic() - began:.0f} s"
    )
    full = _look(client, deployment)
    full["one bar of 300 groups"] = _evaluate(crowd, 2)

    for what, was in empty.items():
        now = full[what]
        print(
            f"  {what:34s} empty {was.seconds * 1e3:7.0f} ms {was.queries:4d} queries"
            f"   full {now.seconds * 1e3:7.0f} ms {now.queries:4d} queries"
            f"   {'reads all of ' + ', '.join(sorted(now.scanned)) if now.scanned else ''}"
        )
    print(f"  system load at the end {os.getloadavg()[0]:.1f}")
    assert not {what: each.scanned for what, each in full.items() if each.scanned}
    assert full["dashboard"].queries < DASHBOARD_QUERIES
    pages = {what: each.seconds for what, each in full.items() if what != "one bar of 300 groups"}
    assert not {what: seconds for what, seconds in pages.items() if seconds > PAGE_GOAL_S}


def _look(client: Client, deployment: Deployment) -> dict[str, Looked]:
    orders = reverse("trading:orders")
    decisions = reverse("trading:decisions", args=[deployment.public_id])
    pages = {
        "dashboard": reverse("web:dashboard"),
        "deployments": reverse("trading:list"),
        "deployment": reverse("trading:detail", args=[deployment.public_id]),
        "positions": reverse("trading:positions"),
        "decisions": decisions,
        "decisions of a rare reason": f"{decisions}?reason=ENTER_LONG",
        "orders": orders,
        "orders, older ones": f"{orders}{_before(deployment, skipped=50)}",
        "orders, the oldest": f"{orders}{_before(deployment, skipped=-50)}",
        "orders that work": f"{orders}?state=working",
        "orders of a market": f"{orders}?symbol={deployment.instruments.get().instrument.symbol}",
        "orders of a market without any": f"{orders}?symbol=C001/USDT",
        "orders of a status without any": f"{orders}?state=REJECTED",
    }
    return {what: _fastest(partial(_get, client, url)) for what, url in pages.items()}


def _before(deployment: Deployment, *, skipped: int) -> str:
    """Return the part of an address that asks for orders after so many from the newest, or up to the oldest."""
    order = "-pk" if skipped > 0 else "pk"
    mine = Order.objects.filter(owner_id=deployment.owner_id).order_by(order)
    last = mine.values_list("public_id", flat=True)[abs(skipped) : abs(skipped) + 1].first()
    return f"?before={last}" if last else ""


def _get(client: Client, url: str) -> None:
    assert client.get(url).status_code == 200, url


def _evaluate(crowd: Crowd, number: int) -> Looked:
    _bar(crowd, number)
    ids = [group for groups in crowd.groups.values() for group in groups]
    return _measured(lambda: evaluation.evaluate_signal_groups(group_ids=ids, now=timezone.now()))


def _bar(crowd: Crowd, number: int) -> None:
    price = 0.985 * PRICE
    columns = [np.array([value]) for value in (price, price, price, price, 10.0)]
    opened = np.array([crowd.first_open_ms + number * MINUTE_MS], dtype=np.int64)
    bar = Candles(opened, *columns)
    with transaction.atomic():
        candle_store.append_closed(
            timeframe=Timeframe.M1,
            batches=[SeriesBars(each.pk, bar) for each in crowd.instruments],
        )
    if number == 0:
        # Loads code and candles, as a platform that runs has done long ago.
        ids = [group for groups in crowd.groups.values() for group in groups]
        evaluation.evaluate_signal_groups(group_ids=ids, now=timezone.now())


def _fastest(work: Callable[[], None]) -> Looked:
    looks = [_measured(work) for _ in range(_TIMES)]
    best = min(looks, key=lambda each: each.seconds)
    return Looked(best.seconds, best.queries, looks[-1].scanned)


def _measured(work: Callable[[], object]) -> Looked:
    with CaptureQueriesContext(connection) as captured:
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
    asked = [each["sql"] for each in captured.captured_queries]
    scanned = {table for sql in set(asked) for table in _scanned_by(sql)}
    return Looked(seconds, len(asked), frozenset(scanned))


def _scanned_by(sql: str) -> Iterator[str]:
    """Yield the large tables that a query reads whole, as the planner says."""
    if not sql.lstrip().startswith("SELECT") or "trading_" not in sql:
        return
    with connection.cursor() as cursor:
        # What has just been sent, as it was sent.
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"), [])
        (answer,) = cursor.fetchone()
    plan = answer if isinstance(answer, list) else json.loads(answer)
    yield from _scans(plan[0]["Plan"])


def _scans(node: Mapping[str, Any]) -> Iterator[str]:
    name = node.get("Relation Name", "")
    if node["Node Type"] == "Seq Scan" and name.startswith(LARGE_TABLES) and node["Plan Rows"] > 1:
        yield name
    for child in node.get("Plans", ()):
        yield from _scans(child)
