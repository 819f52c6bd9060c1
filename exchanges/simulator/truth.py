"""What really happened: every request, order, stop, execution, position and wallet.

A test asks the administrator's side of a running simulator, or opens the state file itself, which
also works after the simulator was killed:

    truth = read_file(Path("simulator.sqlite3"), account="KEY")
    truth["requests"], truth["spot_orders"], truth["futures_positions"], ...
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from exchanges.simulator.database import Database
from exchanges.simulator.messages import Message

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    api_key TEXT NOT NULL,
    symbol TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    parameters TEXT NOT NULL,
    size INTEGER NOT NULL,
    is_complete INTEGER NOT NULL,
    faults TEXT NOT NULL DEFAULT '[]',
    executed INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    answered_ms INTEGER
);
"""
_CLIENT_IDS: Final = ("newClientOrderId", "clientAlgoId", "origClientOrderId")
_TRIMMED_EVERY: Final = 1_000

#: The tables of the truth by their names here, and how each tells whose a row is.
_OF_ACCOUNT: Final = "account_id IN (SELECT id FROM account WHERE api_key = :key OR :key = '')"
_TABLES: Final[Mapping[str, tuple[str, str]]] = {
    "requests": ("request", "api_key = :key OR :key = ''"),
    "spot_balances": ("balance", _OF_ACCOUNT),
    "spot_orders": ("venue_order", _OF_ACCOUNT),
    "spot_trades": ("trade", _OF_ACCOUNT),
    "futures_wallets": ("futures_wallet", _OF_ACCOUNT),
    "futures_orders": ("futures_order", _OF_ACCOUNT),
    "futures_stops": ("futures_stop", _OF_ACCOUNT),
    "futures_trades": ("futures_trade", _OF_ACCOUNT),
    "futures_positions": ("futures_position", _OF_ACCOUNT),
    "futures_incomes": ("futures_income", _OF_ACCOUNT),
    "hidden_orders": ("hidden_order", "lookups > 0"),
    "scheduled_fills": ("scheduled_fill", "1"),
}

Truth = dict[str, list[dict[str, Any]]]


@dataclass(slots=True)
class Journal:
    """Writes down every request when it has arrived, and again when it was answered.

    What was written survives the end of the process; the newest ``most`` requests are kept.
    """

    database: Database
    most: int = 200_000

    def __post_init__(self) -> None:
        """Make the table if it is not there."""
        self.database.prepare(_SCHEMA)

    def arrived(self, message: Message, parameters: Mapping[str, str], *, now_ms: int) -> int:
        """Write down a request, whole or not, without its signature; return its number."""
        shown = {name: value for name, value in parameters.items() if name != "signature"}
        client_id = next((shown[name] for name in _CLIENT_IDS if name in shown), "")
        with self.database.without_sync():
            number = self.database.insert(
                "INSERT INTO request (at_ms, method, path, api_key, symbol, client_order_id,"
                " parameters, size, is_complete) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                now_ms,
                message.method,
                message.target.partition("?")[0],
                message.headers.get("x-mbx-apikey", ""),
                shown.get("symbol", ""),
                client_id,
                json.dumps(shown),
                message.size,
                message.is_complete,
            )
            if number % _TRIMMED_EVERY == 0:
                self.database.run("DELETE FROM request WHERE id <= ?", number - self.most)
        return number

    def answered(
        self, number: int, *, status: int | None, executed: bool, faults: list[str], now_ms: int
    ) -> None:
        """Write down what became of a request; *status* is None if nothing readable was sent."""
        with self.database.without_sync():
            self.database.run(
                "UPDATE request SET status = ?, executed = ?, faults = ?, answered_ms = ?"
                " WHERE id = ?",
                status,
                executed,
                json.dumps(faults),
                now_ms,
                number,
            )


def read_truth(database: Database, *, account: str = "") -> Truth:
    """Return the rows of all tables; of one account if its API key is given."""
    return {
        name: [
            dict(zip(_columns(database, table), row, strict=True))
            for row in database.all(_select(table, where), {"key": account})
        ]
        for name, (table, where) in _TABLES.items()
    }


def read_file(path: Path, *, account: str = "") -> Truth:
    """Return the truth of a state file without touching it, while a simulator runs or after."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    connection.row_factory = sqlite3.Row
    try:
        return {
            name: [dict(row) for row in connection.execute(_select(table, where), {"key": account})]
            for name, (table, where) in _TABLES.items()
        }
    finally:
        connection.close()


def _select(table: str, where: str) -> str:
    return f"SELECT * FROM {table} WHERE {where}"  # noqa: S608 - names of ours


def _columns(database: Database, table: str) -> list[str]:
    return [str(row[1]) for row in database.all(f"PRAGMA table_info({table})")]
