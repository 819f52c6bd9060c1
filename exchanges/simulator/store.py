"""What must survive a crash: accounts, and the balances, orders and trades of the spot markets."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import astuple, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from exchanges.simulator.database import Database
from exchanges.simulator.orders import (
    Account,
    Balance,
    Kind,
    Order,
    Permission,
    Status,
    TimeInForce,
    Trade,
)
from market.enums import Side

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    api_key TEXT NOT NULL UNIQUE,
    secret TEXT NOT NULL,
    permissions TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS balance (
    account_id INTEGER NOT NULL REFERENCES account,
    asset TEXT NOT NULL,
    free TEXT NOT NULL,
    locked TEXT NOT NULL,
    PRIMARY KEY (account_id, asset)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS venue_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account,
    symbol TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    time_in_force TEXT NOT NULL,
    quantity TEXT NOT NULL,
    quote_quantity TEXT NOT NULL,
    price TEXT NOT NULL,
    stop_price TEXT NOT NULL,
    status TEXT NOT NULL,
    is_working INTEGER NOT NULL,
    locked TEXT NOT NULL,
    executed TEXT NOT NULL,
    quote_executed TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    working_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS client_order_id_once_among_open
    ON venue_order (account_id, symbol, client_order_id) WHERE status IN ('NEW', 'PARTIALLY_FILLED');
CREATE INDEX IF NOT EXISTS order_by_client_order_id
    ON venue_order (account_id, symbol, client_order_id);
CREATE INDEX IF NOT EXISTS open_order ON venue_order (account_id)
    WHERE status IN ('NEW', 'PARTIALLY_FILLED');
CREATE TABLE IF NOT EXISTS trade (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id INTEGER NOT NULL REFERENCES venue_order,
    account_id INTEGER NOT NULL REFERENCES account,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    price TEXT NOT NULL,
    quantity TEXT NOT NULL,
    quote_quantity TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_asset TEXT NOT NULL,
    is_maker INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS trade_of_account ON trade (account_id, symbol, id);
"""

#: What brings a file of an earlier version up to date; the schema then makes what is missing.
_MIGRATIONS: Final = (
    # An order may fill in parts, and is open until it has ended.
    """
    DROP INDEX IF EXISTS client_order_id_once_among_open;
    DROP INDEX IF EXISTS open_order;
    DROP INDEX IF EXISTS trade_of_account;
    CREATE TABLE trade_in_parts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        order_id INTEGER NOT NULL REFERENCES venue_order,
        account_id INTEGER NOT NULL REFERENCES account,
        symbol TEXT NOT NULL, side TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
        quote_quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL,
        is_maker INTEGER NOT NULL, at_ms INTEGER NOT NULL
    );
    INSERT INTO trade_in_parts SELECT * FROM trade;
    DROP TABLE trade;
    ALTER TABLE trade_in_parts RENAME TO trade;
    """,
)

_OPEN: Final = "('NEW', 'PARTIALLY_FILLED')"
_ORDER_COLUMNS: Final = ", ".join(field.name for field in fields(Order))
_TRADE_COLUMNS: Final = ", ".join(field.name for field in fields(Trade))
_NEW_ORDER_COLUMNS: Final = _ORDER_COLUMNS.removeprefix("id, ")
_NEW_TRADE_COLUMNS: Final = _TRADE_COLUMNS.removeprefix("id, ")
_ZERO: Final = Decimal(0)


class Store:
    """The rows of one simulator; used from one thread."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file at *path*; None keeps everything in memory."""
        self.database = Database(path)
        self.database.migrate(_MIGRATIONS, known_by="trade")
        self.database.prepare(_SCHEMA)

    def close(self) -> None:
        """Close the file; further calls fail."""
        self.database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Commit everything written inside, or nothing of it."""
        return self.database.transaction()

    # Facts

    def find_fact(self, name: str) -> Any:
        """Return a remembered JSON value (hence Any), or None."""
        return self.database.find_fact(name)

    def remember(self, name: str, value: object) -> None:
        """Keep a JSON value under *name*."""
        self.database.remember(name, value)

    # Accounts and balances

    def find_account(self, api_key: str) -> Account | None:
        """Return the account of *api_key*, or None."""
        row = self.database.one(
            "SELECT id, api_key, secret, permissions FROM account WHERE api_key = ?", api_key
        )
        if row is None:
            return None
        permissions = frozenset(Permission(name) for name in row[3].split())
        return Account(id=row[0], api_key=row[1], secret=row[2], permissions=permissions)

    def save_account(self, *, api_key: str, secret: str, permissions: Iterable[Permission]) -> int:
        """Create the account of *api_key*, or give it these; return its id."""
        row = self.database.one(
            "INSERT INTO account (api_key, secret, permissions) VALUES (?, ?, ?)"
            " ON CONFLICT (api_key) DO UPDATE"
            " SET secret = excluded.secret, permissions = excluded.permissions RETURNING id",
            api_key,
            secret,
            " ".join(sorted(permissions)),
        )
        assert row is not None  # noqa: S101 - narrowing: RETURNING always gives a row
        return int(row[0])

    def count_accounts(self) -> int:
        """Return how many accounts there are."""
        return self.database.count("SELECT count(*) FROM account")

    def balances(self, account_id: int) -> list[Balance]:
        """Return all balances of an account, by asset."""
        rows = self.database.all(
            "SELECT asset, free, locked FROM balance WHERE account_id = ? ORDER BY asset",
            account_id,
        )
        return [Balance(asset, Decimal(free), Decimal(locked)) for asset, free, locked in rows]

    def balance(self, account_id: int, asset: str) -> Balance:
        """Return one balance of an account; zero if it never had any."""
        row = self.database.one(
            "SELECT free, locked FROM balance WHERE account_id = ? AND asset = ?", account_id, asset
        )
        if row is None:
            return Balance(asset, _ZERO, _ZERO)
        return Balance(asset, Decimal(row[0]), Decimal(row[1]))

    def move(
        self, account_id: int, asset: str, *, free: Decimal = _ZERO, locked: Decimal = _ZERO
    ) -> None:
        """Add to a balance; raise ValueError rather than let a part of it fall below zero."""
        before = self.balance(account_id, asset)
        after = Balance(asset, before.free + free, before.locked + locked)
        if after.free < 0 or after.locked < 0:
            raise ValueError(f"{asset} of account {account_id} would become {after}.")
        self.database.run(
            "INSERT OR REPLACE INTO balance VALUES (?, ?, ?, ?)",
            account_id,
            asset,
            f"{after.free:f}",
            f"{after.locked:f}",
        )

    # Orders

    def add_order(self, order: Order) -> int:
        """Write a new order, whatever its ``id`` says, and return the id that it got."""
        values = [_plain(value) for value in astuple(order)[1:]]
        marks = ", ".join("?" * len(values))
        return self.database.insert(
            f"INSERT INTO venue_order ({_NEW_ORDER_COLUMNS}) VALUES ({marks})",  # noqa: S608 - ours
            *values,
        )

    def update_order(self, order: Order) -> None:
        """Write what may change about an order: its status, fills, lock and instants."""
        self.database.run(
            "UPDATE venue_order SET status = ?, is_working = ?, locked = ?, executed = ?,"
            " quote_executed = ?, updated_ms = ?, working_ms = ? WHERE id = ?",
            order.status,
            order.is_working,
            f"{order.locked:f}",
            f"{order.executed:f}",
            f"{order.quote_executed:f}",
            order.updated_ms,
            order.working_ms,
            order.id,
        )

    def order(self, order_id: int) -> Order:
        """Return one order, which must be there."""
        return self._orders("id = ?", order_id)[0]

    def open_orders(self, account_id: int | None = None) -> list[Order]:
        """Return the open orders of one account, or of all, oldest first."""
        if account_id is None:
            return self._orders(f"status IN {_OPEN} ORDER BY id")
        return self._orders(f"status IN {_OPEN} AND account_id = ? ORDER BY id", account_id)

    def find_order(
        self, account_id: int, symbol: str, *, order_id: int | None, client_order_id: str | None
    ) -> Order | None:
        """Return an order by its id, or else the newest with this client order id, or None."""
        if order_id is not None:
            found = self._orders(
                "id = ? AND account_id = ? AND symbol = ?", order_id, account_id, symbol
            )
        else:
            found = self._orders(
                "account_id = ? AND symbol = ? AND client_order_id = ? ORDER BY id DESC LIMIT 1",
                account_id,
                symbol,
                client_order_id,
            )
        return found[0] if found else None

    def all_orders(
        self,
        account_id: int,
        symbol: str,
        *,
        from_id: int | None,
        from_ms: int | None,
        to_ms: int | None,
        limit: int,
    ) -> list[Order]:
        """Return up to *limit* orders, oldest first; the newest ones unless a start is given."""
        where, values = _window("created_ms", "id", from_id=from_id, from_ms=from_ms, to_ms=to_ms)
        newest = from_id is None and from_ms is None
        found = self._orders(
            f"account_id = ? AND symbol = ?{where} ORDER BY id {_direction(newest)} LIMIT ?",
            account_id,
            symbol,
            *values,
            limit,
        )
        return found[::-1] if newest else found

    # Trades

    def add_trade(self, trade: Trade) -> int:
        """Write a new trade, whatever its ``id`` says, and return the id that it got."""
        values = [_plain(value) for value in astuple(trade)[1:]]
        marks = ", ".join("?" * len(values))
        return self.database.insert(
            f"INSERT INTO trade ({_NEW_TRADE_COLUMNS}) VALUES ({marks})",  # noqa: S608 - ours
            *values,
        )

    def trades(
        self,
        account_id: int,
        symbol: str,
        *,
        order_id: int | None = None,
        from_id: int | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int = 1_000,
    ) -> list[Trade]:
        """Return up to *limit* trades, oldest first; the newest ones unless a start is given."""
        where, values = _window("at_ms", "id", from_id=from_id, from_ms=from_ms, to_ms=to_ms)
        if order_id is not None:
            where, values = f"{where} AND order_id = ?", [*values, order_id]
        newest = from_id is None and from_ms is None
        rows = self.database.all(
            f"SELECT {_TRADE_COLUMNS} FROM trade"  # noqa: S608 - names of ours
            f" WHERE account_id = ? AND symbol = ?{where} ORDER BY id {_direction(newest)} LIMIT ?",
            account_id,
            symbol,
            *values,
            limit,
        )
        found = [_read_trade(row) for row in rows]
        return found[::-1] if newest else found

    def totals(self) -> Mapping[str, int]:
        """Return how many orders, open orders and trades there are."""
        return {
            "orders": self.database.count("SELECT count(*) FROM venue_order"),
            "open_orders": self.database.count(
                "SELECT count(*) FROM venue_order WHERE status IN ('NEW', 'PARTIALLY_FILLED')"
            ),
            "trades": self.database.count("SELECT count(*) FROM trade"),
        }

    def _orders(self, where: str, *values: object) -> list[Order]:
        rows = self.database.all(
            f"SELECT {_ORDER_COLUMNS} FROM venue_order WHERE {where}",  # noqa: S608 - names of ours
            *values,
        )
        return [_read_order(row) for row in rows]


def _window(
    instant: str, key: str, *, from_id: int | None, from_ms: int | None, to_ms: int | None
) -> tuple[str, list[int]]:
    bounds = ((f"{key} >= ?", from_id), (f"{instant} >= ?", from_ms), (f"{instant} <= ?", to_ms))
    given = [(text, value) for text, value in bounds if value is not None]
    return "".join(f" AND {text}" for text, _ in given), [value for _, value in given]


def _direction(newest: bool) -> str:
    return "DESC" if newest else "ASC"


def _plain(value: object) -> object:
    return f"{value:f}" if isinstance(value, Decimal) else value


def _read_order(row: tuple[Any, ...]) -> Order:
    values = dict(zip((field.name for field in fields(Order)), row, strict=True))
    for name in (
        "quantity",
        "quote_quantity",
        "price",
        "stop_price",
        "locked",
        "executed",
        "quote_executed",
    ):
        values[name] = Decimal(values[name])
    values["side"] = Side(values["side"])
    values["kind"] = Kind(values["kind"])
    values["time_in_force"] = TimeInForce(values["time_in_force"])
    values["status"] = Status(values["status"])
    values["is_working"] = bool(values["is_working"])
    return Order(**values)


def _read_trade(row: tuple[Any, ...]) -> Trade:
    values = dict(zip((field.name for field in fields(Trade)), row, strict=True))
    for name in ("price", "quantity", "quote_quantity", "fee"):
        values[name] = Decimal(values[name])
    values["side"] = Side(values["side"])
    values["is_maker"] = bool(values["is_maker"])
    return Trade(**values)
