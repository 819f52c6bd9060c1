"""What the exchange itself does wrong to one request, as its handlers see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from exchanges.simulator.database import Database

#: An instant that never comes, for what is never filled.
NEVER_MS: Final = 2**62


@dataclass(frozen=True, slots=True)
class Mishaps:
    """The faults of state that one request meets; the defaults are an exchange that works.

    ``first_share`` of a new order that would fill at once fills at once, the rest ``later_ms``
    afterwards (never, if that is None). ``leaves_dust`` lets all but one lot fill.
    ``hidden_lookups`` look-ups do not find the new order. A fee is taken in ``fee_asset`` at
    ``fee_rate``. A canceled order fills ``fills_after_cancel_ms`` later all the same.
    ``funds_gone`` refuses a new order. The clock is off by ``clock_offset_ms``.
    ``under_maintenance`` refuses signed requests.
    """

    first_share: Decimal | None = None
    later_ms: int | None = None
    leaves_dust: bool = False
    hidden_lookups: int = 0
    fee_asset: str = ""
    fee_rate: Decimal = Decimal(0)
    fills_after_cancel_ms: int | None = None
    funds_gone: bool = False
    clock_offset_ms: int = 0
    under_maintenance: bool = False

    def later_at(self, now_ms: int) -> int:
        """Return when what did not fill at once fills."""
        return NEVER_MS if self.later_ms is None else now_ms + self.later_ms


#: Nothing goes wrong.
NO_MISHAPS: Final = Mishaps()


class ScheduledFill(NamedTuple):
    """An execution that was decided on and has not happened: at which price, and when."""

    order_id: int
    at_ms: int
    quantity: Decimal
    price: Decimal


_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS scheduled_fill (
    protocol TEXT NOT NULL,
    order_id INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    price TEXT NOT NULL,
    PRIMARY KEY (protocol, order_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hidden_order (
    protocol TEXT NOT NULL,
    order_id INTEGER NOT NULL,
    lookups INTEGER NOT NULL,
    PRIMARY KEY (protocol, order_id)
) WITHOUT ROWID;
"""


class Pending:
    """What mishaps leave behind until later, of one protocol: late fills and hidden orders."""

    def __init__(self, database: Database, protocol: str) -> None:
        database.prepare(_SCHEMA)
        self._database = database
        self._protocol = protocol

    def scheduled(self) -> Mapping[int, ScheduledFill]:
        """Return the fills that have not happened, by order."""
        rows = self._database.all(
            "SELECT order_id, at_ms, quantity, price FROM scheduled_fill WHERE protocol = ?",
            self._protocol,
        )
        return {
            row[0]: ScheduledFill(row[0], row[1], Decimal(row[2]), Decimal(row[3])) for row in rows
        }

    def schedule(self, fill: ScheduledFill) -> None:
        """Let an order fill later."""
        self._database.run(
            "INSERT OR REPLACE INTO scheduled_fill VALUES (?, ?, ?, ?, ?)",
            self._protocol,
            fill.order_id,
            fill.at_ms,
            f"{fill.quantity:f}",
            f"{fill.price:f}",
        )

    def unschedule(self, order_id: int) -> None:
        """Let an order not fill later."""
        self._database.run(
            "DELETE FROM scheduled_fill WHERE protocol = ? AND order_id = ?",
            self._protocol,
            order_id,
        )

    def hide(self, order_id: int, *, lookups: int) -> None:
        """Let the next so many look-ups not find an order."""
        if lookups > 0:
            self._database.run(
                "INSERT OR REPLACE INTO hidden_order VALUES (?, ?, ?)",
                self._protocol,
                order_id,
                lookups,
            )

    def hidden(self) -> set[int]:
        """Return the orders that the next look-up does not find."""
        rows = self._database.all(
            "SELECT order_id FROM hidden_order WHERE protocol = ? AND lookups > 0", self._protocol
        )
        return {row[0] for row in rows}

    def look_up(self, order_ids: set[int]) -> set[int]:
        """Return which of the orders a look-up does not find; it counts for each of these."""
        hidden = self.hidden() & order_ids
        for order_id in hidden:
            self._database.run(
                "UPDATE hidden_order SET lookups = lookups - 1 WHERE protocol = ? AND order_id = ?",
                self._protocol,
                order_id,
            )
        return hidden
