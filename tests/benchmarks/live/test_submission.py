"""From the moment a closed candle is known to the acceptance of a thousand people's entries.

A thousand accounts at the simulator, each with one live deployment in one signal group; the bar makes
all of them buy. Real workers decide, send and protect, over HTTP and the exchange library, on the same
cores as the database, the simulator and this process.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from exchanges.models import ExchangeAccount
from foundation.queue import enqueue
from market.enums import Leg
from market.timeframes import Timeframe, to_milliseconds
from tests.benchmarks.live import fleet as fleets
from tests.benchmarks.live.fleet import Fleet
from tests.exchanges.simulator.running import CHECKOUT, RawClient, SimulatorProcess
from trading.models import Fill, Order, OrderIntent

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.enable_socket,
    pytest.mark.timeout(900),
]

ACCOUNTS = int(os.environ.get("LIVE_ACCOUNTS", "1000"))
#: What the simulator allows an address in a minute: Binance documents 6,000.
WEIGHT_LIMIT = int(os.environ.get("LIVE_WEIGHT_LIMIT", "6000"))
#: Processes that send orders.
SENDERS = int(os.environ.get("LIVE_SENDERS", "2"))
PATIENCE_S = 240.0
_YOUNG_S = 20.0


def test_from_a_known_close_to_the_acceptance_of_all_entries(tmp_path: Path):
    keys = fleets.write_keys(tmp_path / "accounts.json", count=ACCOUNTS)
    options = ["--weight-limit", str(WEIGHT_LIMIT), "--bar-seconds", "60"]
    with SimulatorProcess(
        *options, "--accounts-file", str(tmp_path / "accounts.json"), accounts=()
    ) as simulator:
        raw = RawClient(simulator.url)
        _await_a_young_minute()
        close_ms = Timeframe.M1.open_of(to_milliseconds(timezone.now()))
        fleet = fleets.make_fleet(keys, url=simulator.url, close_ms=close_ms)
        price = float(raw.public("/simulator/status")["prices"]["BTC/USDT"])
        fleets.store_history(fleet, price=price)
        with _workers("evaluate", 1, tmp_path), _workers("orders", SENDERS, tmp_path):
            _warm_up(fleet)
            known_at = fleets.tell_of_the_close(fleet, price=price)
            _await(lambda: _entries_booked() == ACCOUNTS, known_at)
            _await(lambda: _stops_resting() == ACCOUNTS, known_at)
        raw.close()
    _report(known_at)
    refused = Counter(
        Order.objects.exclude(reason_code="").values_list("reason_code", "reason_message")
    )
    assert not refused, refused
    assert Order.objects.filter(leg=Leg.ENTRY.value).count() == ACCOUNTS


def _report(known_at: datetime) -> None:
    entries = list(
        Fill.objects.filter(order__leg=Leg.ENTRY.value)
        .order_by("venue_at", "pk")
        .values_list("venue_at", "recorded_at", "price", "order__intent__decided_price")
    )
    there = _seconds([each[0] for each in entries], known_at)
    here = _seconds([each[1] for each in entries], known_at)
    resting = Order.objects.filter(leg=Leg.STOP.value).values_list("venue_at", flat=True)
    stops = _seconds([at for at in resting if at is not None], known_at)
    decided = OrderIntent.objects.filter(leg=Leg.ENTRY.value).order_by("-created_at")
    all_decided = (decided.values_list("created_at", flat=True)[0] - known_at).total_seconds()
    rate = (len(there) - 1) / (there[-1] - there[0])
    print(
        f"\n  {len(entries):,} entries, {SENDERS} senders, limit {WEIGHT_LIMIT:,} a minute"
        f" (load {os.getloadavg()[0]:.1f})"
        f"\n  decided       all {all_decided:6.2f} s after the close was known"
        f"\n  accepted    first {there[0]:6.2f} s   p50 {np.percentile(there, 50):6.2f} s"
        f"   p99 {np.percentile(there, 99):6.2f} s   last {there[-1]:6.2f} s   {rate:,.0f} a second"
        f"\n  booked here first {here[0]:6.2f} s   p50 {np.percentile(here, 50):6.2f} s"
        f"   p99 {np.percentile(here, 99):6.2f} s   last {here[-1]:6.2f} s"
        f"\n  stops rest  first {stops[0]:6.2f} s   p50 {np.percentile(stops, 50):6.2f} s"
        f"   p99 {np.percentile(stops, 99):6.2f} s   last {stops[-1]:6.2f} s"
    )
    paid = np.array([float(each[2]) for each in entries])
    bps = (paid / paid[0] - 1) * 10_000
    tenths = ", ".join(f"{part.mean():+.2f}" for part in np.array_split(bps, 10))
    print(
        f"  entry prices by tenth of the queue, bps over the first: {tenths}"
        f" (the market moves 240 times as fast as it did; standard deviation {bps.std():.2f})"
    )


def _seconds(instants: Sequence[datetime], since: datetime) -> list[float]:
    return sorted((each - since).total_seconds() for each in instants)


def _entries_booked() -> int:
    return Order.objects.filter(leg=Leg.ENTRY.value, status="FILLED").count()


def _stops_resting() -> int:
    return Order.objects.filter(leg=Leg.STOP.value, status="ACCEPTED").count()


def _await(is_done: Callable[[], bool], since: datetime) -> None:
    while not is_done():
        told = Counter(Order.objects.values_list("leg", "status", "reason_code"))
        assert timezone.now() - since < timedelta(seconds=PATIENCE_S), told
        time.sleep(0.1)


def _await_a_young_minute() -> None:
    """Wait until so much of a minute is left that its bar is still fresh once the workers are warm."""
    passed_s = time.time() % 60
    if passed_s > _YOUNG_S:
        time.sleep(60 - passed_s)


def _warm_up(fleet: Fleet) -> None:
    """Let the workers load their code, and the venue's markets: a platform that runs has done so long ago."""
    few = ExchangeAccount.objects.filter(pk__in=fleet.account_ids[: 10 * SENDERS])
    few.update(next_reconcile_at=timezone.now() - timedelta(seconds=1))
    began = timezone.now()
    enqueue("trading.sweep_evaluation")
    while few.filter(next_reconcile_at__lt=began).exists():
        enqueue("trading.reconcile_due_accounts")
        assert timezone.now() - began < timedelta(seconds=PATIENCE_S)
        time.sleep(0.5)
    # After a start nothing is opened before each account has been compared with its venue: that is over.
    ExchangeAccount.objects.filter(pk__in=fleet.account_ids).update(reconciled_at=timezone.now())


@contextmanager
def _workers(queue: str, processes: int, folder: Path) -> Iterator[None]:
    """Run a worker with so many processes, as the platform does; stop it in the end."""
    redis.Redis.from_url(settings.CELERY_BROKER_URL).delete(queue)
    address = urlsplit(os.environ["DATABASE_URL"])
    address = address._replace(path=f"/{connection.settings_dict['NAME']}")
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "config", "worker"]
    command += ["-Q", queue, "-n", f"{queue}@%h", "--pool", "prefork"]
    command += ["--concurrency", str(processes), "--loglevel", "WARNING"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    log = folder / f"{queue}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "DATABASE_URL": urlunsplit(address), "VENUE_CLIENTS": "2000"},
            cwd=CHECKOUT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
        assert process.poll() is None, log.read_text()[-5_000:]
    finally:
        process.terminate()
        process.wait(timeout=60)
        print(log.read_text()[-2_000:])
