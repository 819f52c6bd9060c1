"""The rows of the futures: orders, stops, executions, positions, wallets and incomes."""

from collections.abc import Sequence
from dataclasses import astuple, fields, replace
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Generic, TypeVar, get_type_hints

from exchanges.simulator.database import Database
from exchanges.simulator.futures.records import (
    FuturesOrder,
    FuturesTrade,
    HeldPosition,
    Income,
    IncomeKind,
    StopOrder,
)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS futures_account (
    account_id INTEGER PRIMARY KEY REFERENCES account,
    seen INTEGER NOT NULL,
    funded_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS futures_wallet (
    account_id INTEGER NOT NULL REFERENCES account,
    asset TEXT NOT NULL,
    balance TEXT NOT NULL,
    PRIMARY KEY (account_id, asset)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS futures_countdown (
    account_id INTEGER NOT NULL REFERENCES account,
    symbol TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (account_id, symbol)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS futures_funding (
    symbol TEXT PRIMARY KEY,
    rate TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS futures_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account,
    symbol TEXT NOT NULL, client_order_id TEXT NOT NULL, side TEXT NOT NULL, kind TEXT NOT NULL,
    time_in_force TEXT NOT NULL, quantity TEXT NOT NULL, price TEXT NOT NULL,
    reduce_only INTEGER NOT NULL, close_position INTEGER NOT NULL, status TEXT NOT NULL,
    executed TEXT NOT NULL, quote_executed TEXT NOT NULL, stop_id INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS futures_order_by_client_order_id
    ON futures_order (account_id, symbol, client_order_id);
CREATE INDEX IF NOT EXISTS futures_open_order ON futures_order (account_id)
    WHERE status IN ('NEW', 'PARTIALLY_FILLED');
CREATE TABLE IF NOT EXISTS futures_stop (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account,
    symbol TEXT NOT NULL, client_order_id TEXT NOT NULL, side TEXT NOT NULL, kind TEXT NOT NULL,
    time_in_force TEXT NOT NULL, quantity TEXT NOT NULL, price TEXT NOT NULL,
    trigger_price TEXT NOT NULL, working_type TEXT NOT NULL, reduce_only INTEGER NOT NULL,
    close_position INTEGER NOT NULL, status TEXT NOT NULL, order_id INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, triggered_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS futures_stop_by_client_order_id
    ON futures_stop (account_id, symbol, client_order_id);
CREATE TABLE IF NOT EXISTS futures_trade (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id INTEGER NOT NULL REFERENCES futures_order,
    account_id INTEGER NOT NULL REFERENCES account,
    symbol TEXT NOT NULL, side TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    quote_quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL,
    realized TEXT NOT NULL, is_maker INTEGER NOT NULL, at_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS futures_trade_of_account ON futures_trade (account_id, symbol, id);
CREATE TABLE IF NOT EXISTS futures_position (
    account_id INTEGER NOT NULL REFERENCES account,
    symbol TEXT NOT NULL, quantity TEXT NOT NULL, entry_price TEXT NOT NULL,
    leverage INTEGER NOT NULL, is_isolated INTEGER NOT NULL, isolated_wallet TEXT NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (account_id, symbol)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS futures_income (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account,
    symbol TEXT NOT NULL, kind TEXT NOT NULL, amount TEXT NOT NULL, asset TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
"""

_ZERO: Final = Decimal(0)

Record = TypeVar("Record", FuturesOrder, StopOrder, FuturesTrade, HeldPosition, Income)


class Table(Generic[Record]):
    """The rows of one kind of record; the names of the columns are those of its fields."""

    def __init__(self, database: Database, name: str, record: type[Record]) -> None:
        self._database = database
        self._name = name
        self._record: Any = record
        self._names = [field.name for field in fields(record)]
        hints = get_type_hints(record)
        self._types = [hints[name] for name in self._names]

    def add(self, record: Record) -> int:
        """Write a new record, whatever its ``id`` says, and return the number that it got."""
        names = [name for name in self._names if name != "id"]
        marks = ", ".join("?" * len(names))
        return self._database.insert(
            f"INSERT INTO {self._name} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 - ours
            *(_plain(getattr(record, name)) for name in names),
        )

    def put(self, record: Record) -> None:
        """Write a record in the place of the one that has its key."""
        marks = ", ".join("?" * len(self._names))
        self._database.run(
            f"INSERT OR REPLACE INTO {self._name} ({', '.join(self._names)})"  # noqa: S608 - ours
            f" VALUES ({marks})",
            *(_plain(value) for value in astuple(record)),
        )

    def update(self, record: Record) -> None:
        """Write all of a known record anew."""
        names = [name for name in self._names if name != "id"]
        changes = ", ".join(f"{name} = ?" for name in names)
        self._database.run(
            f"UPDATE {self._name} SET {changes} WHERE id = ?",  # noqa: S608 - names of ours
            *(_plain(getattr(record, name)) for name in names),
            getattr(record, "id", 0),
        )

    def select(self, where: str, *values: Any) -> list[Record]:
        """Return the records for which *where*, a text of ours, holds."""
        rows = self._database.all(
            f"SELECT {', '.join(self._names)} FROM {self._name} WHERE {where}",  # noqa: S608 - ours
            *values,
        )
        return [self._record(*map(_read, self._types, row)) for row in rows]

    def find(self, where: str, *values: Any) -> Record | None:
        """Return the first record for which *where* holds, or None."""
        found = self.select(f"{where} LIMIT 1", *values)
        return found[0] if found else None


class Ledger:
    """Everything that the futures keep; nothing is committed before the caller's transaction is."""

    def __init__(self, database: Database) -> None:
        database.prepare(_SCHEMA)
        self.database = database
        self.orders = Table(database, "futures_order", FuturesOrder)
        self.stops = Table(database, "futures_stop", StopOrder)
        self.trades = Table(database, "futures_trade", FuturesTrade)
        self.positions = Table(database, "futures_position", HeldPosition)
        self.incomes = Table(database, "futures_income", Income)

    def accounts(self) -> list[tuple[int, int, int]]:
        """Return account, last settled sample and last funded instant of all that ever traded."""
        return [
            (row[0], row[1], row[2])
            for row in self.database.all("SELECT account_id, seen, funded_ms FROM futures_account")
        ]

    def mark_seen(self, account_id: int, *, seen: int, funded_ms: int) -> None:
        """Remember up to which sample, and which funding, an account is settled."""
        self.database.run(
            "INSERT OR REPLACE INTO futures_account VALUES (?, ?, ?)", account_id, seen, funded_ms
        )

    def wallets(self, account_id: int) -> dict[str, Decimal]:
        """Return the balance of an account by asset."""
        rows = self.database.all(
            "SELECT asset, balance FROM futures_wallet WHERE account_id = ? ORDER BY asset",
            account_id,
        )
        return {asset: Decimal(balance) for asset, balance in rows}

    def credit(self, income: Income) -> None:
        """Add to a wallet, or take from it, and remember why."""
        balance = self.wallets(income.account_id).get(income.asset, _ZERO) + income.amount
        self.database.run(
            "INSERT OR REPLACE INTO futures_wallet VALUES (?, ?, ?)",
            income.account_id,
            income.asset,
            f"{balance:f}",
        )
        self.incomes.add(income)

    def deposit(self, account_id: int, asset: str, amount: Decimal, *, at_ms: int) -> None:
        """Bring money in."""
        self.credit(Income(0, account_id, "", IncomeKind.TRANSFER, amount, asset, at_ms))

    def countdowns(self, account_id: int) -> dict[str, int]:
        """Return when the orders of each market are canceled unless their owner says otherwise."""
        rows = self.database.all(
            "SELECT symbol, at_ms FROM futures_countdown WHERE account_id = ?", account_id
        )
        return dict(rows)

    def set_countdown(self, account_id: int, symbol: str, at_ms: int | None) -> None:
        """Arm the switch of a market, or disarm it."""
        self.database.run(
            "DELETE FROM futures_countdown WHERE account_id = ? AND symbol = ?", account_id, symbol
        )
        if at_ms is not None:
            self.database.run(
                "INSERT INTO futures_countdown VALUES (?, ?, ?)", account_id, symbol, at_ms
            )

    def open_orders(self, account_id: int) -> Sequence[FuturesOrder]:
        """Return the orders of an account that may still fill, oldest first."""
        return self.orders.select(
            "account_id = ? AND status IN ('NEW', 'PARTIALLY_FILLED') ORDER BY id", account_id
        )

    def open_stops(self, account_id: int) -> Sequence[StopOrder]:
        """Return the stops of an account that wait, oldest first."""
        return self.stops.select("account_id = ? AND status = 'NEW' ORDER BY id", account_id)

    def add_order(self, order: FuturesOrder) -> FuturesOrder:
        """Write a new order and return it with its number."""
        return replace(order, id=self.orders.add(order))

    def fixed_rate(self, symbol: str) -> Decimal | None:
        """Return the funding rate that was set by hand for a market, or None."""
        row = self.database.one("SELECT rate FROM futures_funding WHERE symbol = ?", symbol)
        return None if row is None else Decimal(row[0])

    def fix_rate(self, symbol: str, rate: Decimal) -> None:
        """Set the funding rate of a market by hand."""
        self.database.run(
            "INSERT OR REPLACE INTO futures_funding VALUES (?, ?)", symbol, f"{rate:f}"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.value if isinstance(value, Enum) else value


def _read(kind: Any, value: Any) -> Any:
    return value if kind is int or kind is str else kind(value)
