"""What the exchanges tell the apps above them."""

from typing import Final

from foundation.events import declare

#: Bars of a timeframe were stored, of every instrument whose newest closed at the same time; payload: instrument_ids,
#: timeframe, last_close_ms.
CANDLES_CLOSED: Final = declare("exchanges.candles-closed", queue="evaluate")

#: A key stopped working; payload: account_id, code.
ACCOUNT_INVALIDATED: Final = declare("exchanges.account-invalidated", queue="control")

#: Candles that somebody needs do not come any more; payload: instrument_id, timeframe, last_open_ms (None before the
#: first), reason (the venue's, empty if it answers without new bars). Published again each hour while it lasts.
FEED_BEHIND: Final = declare("exchanges.feed-behind")

#: Candles that were behind have caught up, or nobody needs them any more; payload: instrument_id, timeframe.
FEED_CAUGHT_UP: Final = declare("exchanges.feed-caught-up")
