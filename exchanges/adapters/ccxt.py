"""Instances of ccxt, tamed; the only module that imports it.

What is dear to make (the list of markets, the offset of the clock, the certificates) is kept for the process, so that
sending an order costs little more than its one request.
"""

import asyncio
import copy
import inspect
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import ccxt.async_support as ccxt_async
from ccxt.base.types import Entry

from exchanges.adapters.governor import Gate
from exchanges.adapters.packs.base import VenuePack
from exchanges.adapters.reading import UnreadableError
from exchanges.adapters.wire import ForbiddenCallError, certificates
from market.errors import VenueUnavailableError

#: ccxt logs headers and bodies, keys and signatures included, at DEBUG; this logger writes nothing.
_SILENT: Final = logging.Logger("exchanges.silent", level=logging.CRITICAL + 1)  # noqa: LOG001  outside the tree of loggers, so that nobody can turn it on

_MARKETS_TTL_S: Final = 900.0

#: In the names of endpoints, and at the start of the names that ccxt gives to what they do.
_MONEY: Final = re.compile(r"withdraw|transfer|depositaddress|borrow|repay|redeem|loan|lend")
_MONEY_VERBS: Final = ("withdraw", "transfer", "createdepositaddress", "borrow", "repay")


#: What decides when a request may go, see ``govern``.
_LIMITER: Final = ("calculate_rate_limiter_cost", "throttle")


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a process knows of a venue: an instance without keys that holds its markets, and the clock's offset."""

    exchange: Any
    offset_ms: int
    learnt_at_s: float


#: The library's tables of a venue, which nothing writes once an instance is built.
_READ_ONLY: Final = frozenset(
    {"api", "countries", "exceptions", "features", "fees", "httpExceptions", "limits", "timeframes"}
)

_pristines: dict[str, tuple[VenuePack, Any]] = {}

_memories: dict[tuple[str, str], _Memory] = {}

#: Who asks a venue for its markets, in each event loop.
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], asyncio.Lock]] = (
    WeakKeyDictionary()
)


def make_exchange(pack: VenuePack, address: str, *, timeout_s: float) -> Any:
    """Return an instance that never retries, logs nothing and knows only the listed addresses of the venue.

    Numbers come back as text. The type is Any because the library ships none. Raises VenueUnavailableError for a venue
    that ccxt does not know.
    """
    exchange = _copy_of(_pristine(pack))
    exchange.timeout = int(timeout_s * 1_000)
    exchange.number = str
    exchange.logger = _SILENT
    exchange.timeout_on_exit = 0
    exchange.ssl_context = certificates()
    exchange.aiohttp_trust_env = False
    own = "" if address == pack.address else address
    below = pack.paths or _imploded(exchange, exchange.urls["api"])
    exchange.urls["api"] = _addresses_below(below, pack.address, own)
    exchange.has["fetchCurrencies"] = False
    pack.dialect.set_up(exchange)
    if exchange.options["maxRetriesOnFailure"] != 0:
        raise RuntimeError("ccxt would send an order twice.")
    return exchange


def _pristine(pack: VenuePack) -> Any:
    """Return an instance that is never used itself: building one takes as long as ten orders."""
    known = _pristines.get(pack.ccxt_id)
    if known is not None and known[0] is pack:
        return known[1]
    options = {**pack.options, "maxRetriesOnFailure": 0}
    built = tamed_class(pack.ccxt_class or pack.ccxt_id)(
        {"enableRateLimit": True, "options": options}
    )
    _pristines[pack.ccxt_id] = (pack, built)
    return built


def _copy_of(pristine: Any) -> Any:
    """Return an instance of its own: what a client may write is copied, what the library only reads is shared."""
    exchange = copy.copy(pristine)
    for name, value in vars(pristine).items():
        if isinstance(value, dict | list) and name not in _READ_ONLY:
            setattr(exchange, name, copy.deepcopy(value))
    exchange.init_throttler()
    return exchange


def addresses_of(exchange: Any) -> frozenset[str]:
    """Return every address that an instance may speak to."""
    return frozenset(text for text in _texts_in(exchange.urls["api"]) if text)


@lru_cache(maxsize=32)
def tamed_class(ccxt_id: str) -> type[Any]:
    """Return the class of a venue in which whatever moves money out of an account raises ForbiddenCallError."""
    wild = getattr(ccxt_async, ccxt_id, None) if ccxt_id in ccxt_async.exchanges else None
    if wild is None:
        raise VenueUnavailableError(f"The platform cannot speak to '{ccxt_id}'.")
    forbidden = {name: _forbid(name) for name in dir(wild) if _moves_money(wild, name)}
    return type(wild.__name__, (wild,), forbidden)


def _moves_money(wild: type[Any], name: str) -> bool:
    plain = name.replace("_", "").lower()
    if isinstance(inspect.getattr_static(wild, name), Entry):
        return _MONEY.search(plain) is not None
    return plain.startswith(_MONEY_VERBS)


def _forbid(name: str) -> Callable[..., None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise ForbiddenCallError(name)

    return refuse


def _addresses_below(paths: Mapping[str, Any], usual: str, own: str) -> dict[str, Any]:
    """Return the address of each group: below *own* if there is one, else below the venue's *usual* one."""
    found: dict[str, Any] = {}
    for group, path in paths.items():
        if isinstance(path, Mapping):
            found[group] = _addresses_below(path, usual, own)
        elif path.startswith("https://"):
            found[group] = f"{own}{urlsplit(path).path}" if own else path
        else:
            found[group] = f"{own or usual}{path}"
    return found


def _imploded(exchange: Any, groups: Mapping[str, Any]) -> dict[str, Any]:
    """Return ccxt's own addresses of a venue, with the name of its host in them."""
    return {
        group: _imploded(exchange, inner)
        if isinstance(inner, Mapping)
        else exchange.implode_hostname(inner)
        for group, inner in groups.items()
    }


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts_in(inner)


async def teach(exchange: Any, pack: VenuePack, address: str) -> None:
    """Give *exchange* the venue's markets and clock offset: from memory if they are fresh, else from the venue."""
    memory = _fresh(pack, address)
    if memory is None:
        async with _learning(pack, address):
            # Of many clients that begin together one asks; the others wait for what it learns.
            memory = _fresh(pack, address)
            if memory is None:
                memory = await _learn(exchange, pack, address)
                _memories[(pack.ccxt_id, address)] = memory
    exchange.set_markets_from_exchange(memory.exchange)
    pack.dialect.inherit(exchange, memory.exchange)
    exchange.options["timeDifference"] = memory.offset_ms


def govern(exchange: Any, pack: VenuePack, gate: Gate) -> None:
    """Let every request of *exchange* pass *gate* instead of the library's own limiter, which knows nobody else's calls.

    It is passed before the request is signed: a signature is good for seconds only.
    """
    cost_of = exchange.calculate_rate_limiter_cost

    def weight_of(method: str, whole: str, ending: str) -> int:
        # Several venues' addresses get another beginning when the request is signed.
        return pack.weight_of(method, whole if pack.call_of(method, whole) else ending)

    def describe(
        api: Any, method: str, path: str, parameters: Any, config: Any = None
    ) -> tuple[float, int, bool]:
        cost = float(cost_of(api, method, path, parameters, config or {}))
        return cost, weight_of(method, _path_of(exchange, api, path), path), method == "POST"

    async def wait_for_turn(call: tuple[float, int, bool]) -> None:
        cost, weight, is_order = call
        await gate.admit(cost=cost, weight=weight, is_order=is_order)

    exchange.calculate_rate_limiter_cost, exchange.throttle = describe, wait_for_turn


def _path_of(exchange: Any, api: Any, path: str) -> str:
    """Return the path of a request as far as it can be known before it is signed."""
    below = exchange.urls["api"]
    for group in (api,) if isinstance(api, str) else api:
        below = below.get(group, "") if isinstance(below, Mapping) else below
    return f"{urlsplit(below).path}/{path}" if isinstance(below, str) else ""


def forget(pack: VenuePack, address: str, *, older_than_s: float = 0.0) -> None:
    """Forget the markets and the clock of a venue, so that they are asked for again.

    Not if they were learnt less than *older_than_s* ago.
    """
    memory = _memories.get((pack.ccxt_id, address))
    if memory is not None and time.monotonic() - memory.learnt_at_s >= older_than_s:
        del _memories[pack.ccxt_id, address]


def _fresh(pack: VenuePack, address: str) -> _Memory | None:
    memory = _memories.get((pack.ccxt_id, address))
    if memory is None or time.monotonic() - memory.learnt_at_s > _MARKETS_TTL_S:
        return None
    return memory


def _learning(pack: VenuePack, address: str) -> asyncio.Lock:
    locks = _locks.setdefault(asyncio.get_running_loop(), {})
    return locks.setdefault((pack.ccxt_id, address), asyncio.Lock())


async def _learn(exchange: Any, pack: VenuePack, address: str) -> _Memory:
    """Ask through the session of *exchange*, but in nobody's name: with a key, ccxt would ask for more."""
    keeper = make_exchange(pack, address, timeout_s=exchange.timeout / 1_000)
    keeper.session, keeper.own_session = exchange.session, False
    keeper.enableRateLimit = exchange.enableRateLimit
    for name in _LIMITER:
        setattr(keeper, name, getattr(exchange, name))
    try:
        sent_ms = keeper.milliseconds()
        server_ms = int(await keeper.fetch_time())
        offset_ms = (sent_ms + keeper.milliseconds()) // 2 - server_ms
        await keeper.load_markets(True)
    finally:
        # It lives as long as the process, and must not hold on to what belongs to a key.
        keeper.session = None
        for name in _LIMITER:
            delattr(keeper, name)
    if not keeper.markets:
        raise UnreadableError("no markets")
    return _Memory(keeper, offset_ms, time.monotonic())
