"""Putting the exchange together: recorded or scripted prices on a timeline that never changes.

What the prices depend on is remembered in the state: the anchor (when the recording began to
play), and every script with its start. A restart reads them back, so that each bar that was ever
served is served again, bit for bit.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from exchanges.simulator import book, recordings
from exchanges.simulator.accounts import AccountSpecification
from exchanges.simulator.exchange import Exchange, Market
from exchanges.simulator.fault_kinds import FaultKind
from exchanges.simulator.futures.desk import FuturesExchange
from exchanges.simulator.orders import Permission
from exchanges.simulator.prices import SAMPLE_MS, Segment, Timeline
from exchanges.simulator.recordings import Recording, RecordingError, Script
from exchanges.simulator.rules import Rule
from exchanges.simulator.store import Store
from market.timeframes import SECOND_MS

#: The fact that remembers what faults have changed about the rules of markets.
_RULES: Final = "changed_rules"
_FACTORS: Final[Mapping[FaultKind, str]] = {
    FaultKind.TICK_CHANGED: "tick_factor",
    FaultKind.LOT_CHANGED: "lot_factor",
    FaultKind.MINIMUM_NOTIONAL_CHANGED: "notional_factor",
}

#: To be raised when the way from a recording to prices changes.
_PATH_VERSION: Final = 1


class Settings(NamedTuple):
    """How prices are made: seconds that a recorded bar takes, and slippage of market orders.

    ``funding_seconds`` lie between two fundings of the swaps.
    """

    bar_seconds: int
    slippage_bps: float
    funding_seconds: int = 8 * 3_600


class World:
    """An exchange, and what its prices depend on."""

    def __init__(
        self,
        store: Store,
        sources: Sequence[Recording],
        settings: Settings,
        *,
        script: Script | None,
        now_ms: int,
    ) -> None:
        """Open the world kept in *store*, or begin a new one now; *script* is for a new one."""
        self._settings = settings
        fingerprint = _fingerprint(sources, settings)
        anchor = store.find_fact("anchor")
        #: Whether kept prices had to be given up because the recording is another one.
        self.started_anew = anchor is not None and anchor["fingerprint"] != fingerprint
        if anchor is None or self.started_anew:
            start_ms = now_ms - now_ms % SECOND_MS
            anchor = {"ms": start_ms, "fingerprint": fingerprint, "is_second": self.started_anew}
            with store.transaction():
                store.remember("anchor", anchor)
                store.remember("scripts", [])
        self.anchor_ms = int(anchor["ms"])
        self._store = store
        markets = [self._recorded_market(source) for source in sources]
        self.exchange = Exchange(store, markets)
        kept = store.find_fact("scripts")
        for entry in kept:
            self._append(Script.parse(entry["script"]), valid_from_ms=int(entry["valid_from_ms"]))
        if script is not None and not kept:
            start_ms = now_ms if script.start_ms is None else script.start_ms
            # In a new world the script is all there ever was: its first price goes back forever.
            self._keep_script(script, start_ms, valid_from_ms=0)
        # Orders older than the anchor rested on prices that are gone; they meet the new ones only.
        since_ms = self.anchor_ms if anchor["is_second"] else 0
        self.exchange.watch_open_orders(since_ms=since_ms)
        #: The swaps: the same prices and accounts behind another protocol.
        self.futures = FuturesExchange(
            self.exchange, funding_ms=settings.funding_seconds * SECOND_MS
        )
        self._apply_rules()

    @property
    def has_work(self) -> bool:
        """Whether the passing of time can do anything."""
        return self.exchange.has_open_orders or self.futures.has_work

    def settle(self, *, now_ms: int) -> None:
        """Let everything happen that happens up to now."""
        self.exchange.settle(now_ms=now_ms)
        self.futures.settle(now_ms=now_ms)

    def open_account(self, account: AccountSpecification, *, now_ms: int) -> bool:
        """Create an account with its wallets; return False if its key was known.

        A known key keeps its balances and gets the secret and permissions given now.
        """
        is_new = self.exchange.open_account(
            api_key=account.api_key,
            secret=account.secret,
            balances=account.balances,
            permissions=account.permissions,
        )
        kept = self._store.find_account(account.api_key)
        if is_new and kept is not None:
            self.futures.fund(kept.id, account.futures_balances, now_ms=now_ms)
        return is_new

    def suffer(self, rule: Rule, *, api_key: str, now_ms: int) -> None:
        """Change the exchange from now on as a rule of the fault program says."""
        self.settle(now_ms=now_ms)
        if rule.kind in {FaultKind.KEY_REVOKED, FaultKind.PERMISSION_GAINED}:
            self._change_key(rule.account or api_key, rule.kind)
            return
        changes = self._store.find_fact(_RULES) or {}
        name = _FACTORS.get(rule.kind)
        change = {name: rule.settings["factor"]} if name else {"is_listed": False}
        changes[rule.symbol] = {**changes.get(rule.symbol, {}), **change}
        with self._store.transaction():
            self._store.remember(_RULES, changes)
        self._apply_rules()
        if rule.kind is FaultKind.DELISTED:
            self.exchange.expire_orders(rule.symbol, now_ms=now_ms)
            self.futures.expire_orders(rule.symbol, now_ms=now_ms)

    def restore_rules(self) -> None:
        """List every market again, by the rules that it had at first."""
        with self._store.transaction():
            self._store.remember(_RULES, {})
        self._apply_rules()

    def _apply_rules(self) -> None:
        changes = self._store.find_fact(_RULES) or {}
        for symbol, market in self.exchange.markets.items():
            first = {"tick_factor": 1, "lot_factor": 1, "notional_factor": 1, "is_listed": True}
            wanted = {**first, **changes.get(symbol, {})}
            market.instrument = dataclasses.replace(market.instrument, **wanted)
            self.futures.contracts.forget(symbol)

    def _change_key(self, api_key: str, kind: FaultKind) -> None:
        account = self._store.find_account(api_key)
        if account is None:
            return
        gained = {*account.permissions, Permission.WITHDRAW}
        permissions = gained if kind is FaultKind.PERMISSION_GAINED else set()
        with self._store.transaction():
            self._store.save_account(
                api_key=api_key, secret=account.secret, permissions=permissions
            )

    def follow_script(self, script: Script, *, now_ms: int) -> int:
        """Let prices follow *script* from its start, now or later; return that start.

        Raise RecordingError if the start lies in the past, where prices have been served.
        """
        next_sample_ms = (recordings.sample_of(now_ms) + 1) * SAMPLE_MS
        start_ms = next_sample_ms if script.start_ms is None else script.start_ms
        if start_ms < next_sample_ms:
            raise RecordingError("The script begins in the past, and bars once served must stay.")
        self.settle(now_ms=now_ms)
        start_ms -= start_ms % SAMPLE_MS
        self._keep_script(script, start_ms, valid_from_ms=start_ms)
        return start_ms

    def _keep_script(self, script: Script, start_ms: int, *, valid_from_ms: int) -> None:
        script = dataclasses.replace(script, start_ms=start_ms - start_ms % SAMPLE_MS)
        entry = {"valid_from_ms": valid_from_ms, "script": script.document()}
        with self._store.transaction():
            self._store.remember("scripts", [*self._store.find_fact("scripts"), entry])
        self._append(script, valid_from_ms=valid_from_ms)

    def _append(self, script: Script, *, valid_from_ms: int) -> None:
        valid_from = recordings.sample_of(valid_from_ms)
        origin = recordings.sample_of(script.start_ms or 0)
        for name in script.points:
            symbol = name.replace("/", "")
            market = self.exchange.markets.get(symbol)
            if market is None:
                instrument = recordings.describe_scripted(name, script)
                segment = Segment(valid_from, origin, script.path(instrument))
                costs = book.costs_of(instrument, slippage_bps=self._settings.slippage_bps)
                self.exchange.markets[symbol] = Market(instrument, costs, Timeline([segment]))
            else:
                segment = Segment(valid_from, origin, script.path(market.instrument))
                market.timeline = market.timeline.followed_by(segment)

    def _recorded_market(self, recording: Recording) -> Market:
        origin = recordings.sample_of(self.anchor_ms)
        path = recordings.replay(recording, bar_seconds=self._settings.bar_seconds)
        costs = book.costs_of(recording.instrument, slippage_bps=self._settings.slippage_bps)
        return Market(recording.instrument, costs, Timeline([Segment(origin, origin, path)]))


def _fingerprint(sources: Sequence[Recording], settings: Settings) -> str:
    facts = [[source.instrument.symbol, str(source.timeframe), source.digest] for source in sources]
    text = json.dumps([_PATH_VERSION, settings.bar_seconds, facts])
    return hashlib.sha256(text.encode()).hexdigest()
