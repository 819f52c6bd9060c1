"""What the exchanges tell the apps above them."""

from typing import Final

from foundation.events import declare

#: Bars of an instrument and timeframe were stored; payload: instrument_id, timeframe, last_close_ms.
CANDLES_CLOSED: Final = declare("exchanges.candles-closed", queue="evaluate")

#: A key stopped working; payload: account_id, code.
ACCOUNT_INVALIDATED: Final = declare("exchanges.account-invalidated", queue="control")
