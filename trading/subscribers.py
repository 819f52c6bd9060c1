"""What trading does when the apps below tell of something."""

from datetime import datetime

from django.utils import timezone

from accounts.events import PERSON_DEACTIVATED, PERSON_ERASURE_REQUESTED
from billing.domain.limits import Limit
from billing.events import SUBSCRIPTION_ENDED
from billing.selectors import usage as billing_usage
from exchanges.events import ACCOUNT_INVALIDATED, CANDLES_CLOSED, FEED_BEHIND, FEED_CAUGHT_UP
from exchanges.selectors import feeds
from exchanges.services import accounts as exchange_accounts
from foundation.events import Event, subscribe
from market.timeframes import Timeframe
from trading.selectors import usage
from trading.services import accounts, late_candles, stops, sweeps


def connect() -> None:
    """Subscribe; called once when the app is ready."""
    subscribe(CANDLES_CLOSED, on_candles_closed)
    subscribe(FEED_BEHIND, on_feed_behind)
    subscribe(FEED_CAUGHT_UP, on_feed_caught_up)
    subscribe(ACCOUNT_INVALIDATED, on_account_invalidated)
    subscribe(SUBSCRIPTION_ENDED, on_subscription_ended)
    subscribe(PERSON_DEACTIVATED, on_person_shut_out)
    subscribe(PERSON_ERASURE_REQUESTED, on_person_shut_out)
    billing_usage.count_with(Limit.LIVE_DEPLOYMENTS, _count_live)
    billing_usage.count_with(Limit.PAPER_DEPLOYMENTS, _count_paper)
    exchange_accounts.ask_before_closing(accounts.refuse_closing)


def on_candles_closed(event: Event) -> None:
    """Send for the groups that waited for the bars."""
    sweeps.pass_on_closed_candles(
        instrument_ids=event.payload["instrument_ids"],
        timeframe=event.payload["timeframe"],
        last_close_ms=event.payload["last_close_ms"],
    )


def on_feed_behind(event: Event) -> None:
    """Say of the deployments that need these candles that they wait, unless they have come meanwhile."""
    instrument_id, timeframe = event.payload["instrument_id"], Timeframe(event.payload["timeframe"])
    if feeds.any_behind(instrument_ids=[instrument_id], timeframe=timeframe):
        late_candles.note_behind(
            instrument_id=instrument_id,
            timeframe=timeframe,
            reason=event.payload["reason"],
            now=event.occurred_at,
        )


def on_feed_caught_up(event: Event) -> None:
    """Say of the deployments that waited for these candles that they are well again."""
    late_candles.note_caught_up(
        instrument_id=event.payload["instrument_id"],
        timeframe=Timeframe(event.payload["timeframe"]),
        now=event.occurred_at,
    )


def on_account_invalidated(event: Event) -> None:
    """Say of an account's deployments that they cannot trade."""
    accounts.note_invalidated(
        account_id=event.payload["account_id"],
        code=event.payload["code"],
        now=event.occurred_at,
    )


def on_subscription_ended(event: Event) -> None:
    """Stop what the subscription carried; protective exits go on until it is stopped."""
    if event.owner_id is not None:
        stops.stop_for_product(
            owner_id=event.owner_id,
            product_code=event.payload["product_code"],
            key=f"event-{event.id}",
            now=timezone.now(),
        )


def on_person_shut_out(event: Event) -> None:
    """Stop everything of a person who was deactivated or wants to be deleted."""
    if event.owner_id is not None:
        stops.stop_for_person(owner_id=event.owner_id, key=f"event-{event.id}", now=timezone.now())


def _count_live(owner_id: int, _: datetime) -> int:
    return usage.used_by(owner_id)[Limit.LIVE_DEPLOYMENTS]


def _count_paper(owner_id: int, _: datetime) -> int:
    return usage.used_by(owner_id)[Limit.PAPER_DEPLOYMENTS]
