"""Entry points of the candle feeds and the candle store."""

from django.utils import timezone

from exchanges.services import (
    catalogue,
    clocks,
    feeds,
    funding,
    history,
    ingest,
    quarantine,
    quotes,
    repair,
    sealing,
    watching,
)
from foundation.queue import queued_task
from market.timeframes import Timeframe


@queued_task("exchanges.tick_feeds", queue="ingest")
def tick_feeds() -> None:
    """Claim the feeds that are due, and send a task per venue and timeframe."""
    feeds.claim_due_feeds()


@queued_task("exchanges.ingest_candles", queue="ingest")
def ingest_candles(*, venue_id: int, timeframe: str) -> None:
    """Fetch and store the new bars of the claimed feeds of a venue and timeframe."""
    ingest.ingest_due(venue_id=venue_id, timeframe=Timeframe(timeframe), clock=timezone.now)


@queued_task("exchanges.measure_clocks", queue="ingest")
def measure_clocks() -> None:
    """Measure how far the venues' clocks are ahead of ours."""
    clocks.measure_clocks(clock=timezone.now)


@queued_task("exchanges.sync_instruments", queue="ingest")
def sync_instruments() -> None:
    """Read the trading rules of the venues on which people hold accounts."""
    catalogue.sync_live_venues(now=timezone.now())


@queued_task("exchanges.seal_candles", queue="default")
def seal_candles() -> None:
    """Move long or finished tails into chunks."""
    sealing.seal_due(now=timezone.now())


@queued_task("exchanges.prune_candles", queue="default")
def prune_candles() -> None:
    """Delete short bars that are kept for some days only."""
    sealing.prune_expired(now=timezone.now())
    quarantine.prune_quarantine(now=timezone.now())


@queued_task("exchanges.watch_feeds", queue="default")
def watch_feeds() -> None:
    """Note which feeds are behind, and tell of it."""
    watching.watch_feeds(now=timezone.now())


@queued_task("exchanges.repair_gaps", queue="ingest")
def repair_gaps() -> None:
    """Ask again for holes among the candles that somebody needs."""
    repair.repair_gaps(clock=timezone.now)


@queued_task("exchanges.refresh_quotes", queue="ingest")
def refresh_quotes() -> None:
    """Read the last prices of the venues in use."""
    quotes.refresh_quotes(now=timezone.now())


@queued_task("exchanges.refresh_funding", queue="ingest")
def refresh_funding() -> None:
    """Read what holding swaps has cost."""
    funding.refresh_funding(now=timezone.now())


@queued_task("exchanges.fetch_history", queue="ingest")
def fetch_history(*, fetch_id: int) -> None:
    """Go on with a fetch that a person asked for."""
    history.run_fetch(fetch_id=fetch_id, clock=timezone.now)


@queued_task("exchanges.sweep_history", queue="ingest")
def sweep_history() -> None:
    """Find fetches whose message was lost."""
    history.sweep_fetches(now=timezone.now())
