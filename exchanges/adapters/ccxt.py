"""Instances of ccxt, tamed; the only module that imports it.

What is dear to make (the list of markets, the offset of the clock, the certificates) is kept for the process, so that
sending an order costs little more than its one request.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any, Final

import ccxt.async_support as ccxt_async

from exchanges.adapters.packs import VenuePack
from exchanges.adapters.reading import UnreadableError
from exchanges.adapters.wire import certificates

#: ccxt logs headers and bodies, keys and signatures included, at DEBUG; this logger writes nothing.
_SILENT: Final = logging.Logger("exchanges.silent", level=logging.CRITICAL + 1)  # noqa: LOG001  outside the tree of loggers, so that nobody can turn it on

_MARKETS_TTL_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a process knows of a venue: an instance without keys that holds its markets, and the clock's offset."""

    exchange: Any
    offset_ms: int
    learnt_at_s: float


_memories: dict[tuple[str, str], _Memory] = {}


def make_exchange(pack: VenuePack, address: str, *, timeout_s: float) -> Any:
    """Return an instance that never retries, logs nothing and knows only the listed addresses of the venue.

    Numbers come back as text. The type is Any because the library ships none.
    """
    exchange = getattr(ccxt_async, pack.ccxt_id)(
        {"enableRateLimit": True, "timeout": int(timeout_s * 1_000), "options": dict(pack.options)}
    )
    exchange.number = str
    exchange.logger = _SILENT
    exchange.timeout_on_exit = 0
    exchange.ssl_context = certificates()
    exchange.aiohttp_trust_env = False
    exchange.urls["api"] = {group: f"{address}{path}" for group, path in pack.paths.items()}
    exchange.has["fetchCurrencies"] = False
    if exchange.options["maxRetriesOnFailure"] != 0:
        raise RuntimeError("ccxt would send an order twice.")
    return exchange


async def teach(exchange: Any, pack: VenuePack, address: str) -> None:
    """Give *exchange* the venue's markets and clock offset: from memory if they are fresh, else from the venue."""
    key = (pack.ccxt_id, address)
    memory = _memories.get(key)
    if memory is None or time.monotonic() - memory.learnt_at_s > _MARKETS_TTL_S:
        memory = _memories[key] = await _learn(exchange, pack, address)
    exchange.set_markets_from_exchange(memory.exchange)
    exchange.options["timeDifference"] = memory.offset_ms


def forget(pack: VenuePack, address: str) -> None:
    """Forget the markets and the clock of a venue, so that they are asked for again."""
    _memories.pop((pack.ccxt_id, address), None)


async def _learn(exchange: Any, pack: VenuePack, address: str) -> _Memory:
    sent_ms = exchange.milliseconds()
    server_ms = int(await exchange.fetch_time())
    offset_ms = (sent_ms + exchange.milliseconds()) // 2 - server_ms
    await exchange.load_markets(True)
    if not exchange.markets:
        raise UnreadableError("no markets")
    keeper = make_exchange(pack, address, timeout_s=exchange.timeout / 1_000)
    keeper.set_markets_from_exchange(exchange)
    return _Memory(keeper, offset_ms, time.monotonic())
