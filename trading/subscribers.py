"""What trading does when the apps below tell of something."""

from exchanges.events import ACCOUNT_INVALIDATED, CANDLES_CLOSED
from exchanges.services import accounts as exchange_accounts
from foundation.events import Event, subscribe
from trading.services import accounts, sweeps


def connect() -> None:
    """Subscribe; called once when the app is ready."""
    subscribe(CANDLES_CLOSED, on_candles_closed)
    subscribe(ACCOUNT_INVALIDATED, on_account_invalidated)
    exchange_accounts.ask_before_closing(accounts.refuse_closing)


def on_candles_closed(event: Event) -> None:
    """Send for the groups that waited for the bar."""
    sweeps.pass_on_closed_candles(
        instrument_id=event.payload["instrument_id"],
        timeframe=event.payload["timeframe"],
        last_close_ms=event.payload["last_close_ms"],
    )


def on_account_invalidated(event: Event) -> None:
    """Say of an account's deployments that they cannot trade."""
    accounts.note_invalidated(
        account_id=event.payload["account_id"],
        code=event.payload["code"],
        now=event.occurred_at,
    )
