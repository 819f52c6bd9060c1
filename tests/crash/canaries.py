"""The platform broken on purpose, in the processes of the matrix alone: each breakage must be noticed.

A matrix that finds nothing proves something only if it finds these.
"""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import aiohttp
from django.db import connection
from django.utils import timezone

from exchanges.adapters import ccxt, ccxt_client, judging
from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.judging import Failure, Verdict
from exchanges.adapters.packs.base import VenuePack
from exchanges.adapters.protocol import OrderReport, OrderRequest, Outcome, OutcomeKind
from exchanges.simulator.fault_kinds import FaultKind, Phase
from exchanges.simulator.fault_table import describe
from market.enums import OrderStatus
from tests.crash import shards
from tests.crash.matrix import Result
from tests.crash.plans import FAULTS, Plan, draw
from trading.domain import absence
from trading.models import GroupShard
from trading.services import fencing, outcomes, settlement
from trading.services import shards as group_shards

#: Within so many seeds every breakage has to be noticed.
SEEDS: Final = 200


@contextmanager
def _patched(owner: Any, name: str, stand_in: Any) -> Iterator[None]:
    kept = getattr(owner, name)
    setattr(owner, name, stand_in)
    try:
        yield
    finally:
        setattr(owner, name, kept)


def _one_lookup() -> AbstractContextManager[None]:
    """One look-up in vain proves that an order is absent."""
    return _patched(absence, "is_absent", lambda *, lookups, **_: lookups >= 1)


def _blind_resend() -> AbstractContextManager[None]:
    """What was not answered is sent again."""
    submit = CcxtVenueClient.submit

    async def resend(
        client: CcxtVenueClient, request: OrderRequest, *, timeout_s: float
    ) -> Outcome:
        outcome = await submit(client, request, timeout_s=timeout_s)
        if outcome.kind is OutcomeKind.UNKNOWN:
            outcome = await submit(client, request, timeout_s=timeout_s)
        return outcome

    return _patched(CcxtVenueClient, "submit", resend)


def _errors_reject() -> AbstractContextManager[None]:
    """Whatever goes wrong counts as the exchange's no."""

    def judge(failure: Failure, *, pack: VenuePack) -> Verdict:
        return Verdict(OutcomeKind.REJECTED, judging.code_of(failure, pack=pack))

    return _patched(judging, "judge_submit", judge)


def _no_epoch() -> AbstractContextManager[None]:
    """Nobody looks, before the wire, whether the right to send has passed to another."""
    return _patched(fencing, "sendable", lambda order_ids, **_: frozenset(order_ids))


def _library_retries() -> AbstractContextManager[None]:
    """The exchange library repeats what failed."""
    make = ccxt.make_exchange

    def make_stubborn(pack: VenuePack, address: str, *, timeout_s: float) -> Any:
        exchange = make(pack, address, timeout_s=timeout_s)
        exchange.options["maxRetriesOnFailure"] = 1
        return exchange

    return _patched(ccxt, "make_exchange", make_stubborn)


def _follows_redirects() -> AbstractContextManager[None]:
    """An answer that points elsewhere has the order sent there too."""
    request = aiohttp.ClientSession._request

    async def follow(session: aiohttp.ClientSession, *arguments: Any, **options: Any) -> Any:
        return await request(session, *arguments, **{**options, "allow_redirects": True})

    return _patched(aiohttp.ClientSession, "_request", follow)


@contextmanager
def _empty_ids() -> Iterator[None]:
    """An answer without an order in it counts as an order without an id."""

    def conclude(
        client: CcxtVenueClient, order: Mapping[str, Any], request: OrderRequest
    ) -> Outcome:
        del client
        report = OrderReport(
            client_order_id=request.client_order_id,
            venue_order_id=str(order.get("id") or ""),
            symbol=request.symbol,
            side=request.side,
            status=OrderStatus.ACCEPTED,
            quantity=request.quantity,
            filled_quantity=Decimal(0),
            average_price=None,
            venue_at=timezone.now(),
        )
        return Outcome(OutcomeKind.DONE, report)

    with ExitStack() as stack:
        stack.enter_context(_patched(ccxt_client, "require_success", lambda _: None))
        stack.enter_context(_patched(CcxtVenueClient, "_conclude_order", conclude))
        stack.enter_context(_patched(settlement, "_is_about", lambda *_: True))
        yield


@contextmanager
def _forgotten_bar() -> Iterator[None]:
    """Neither a deployment nor its shard remembers which bar was decided on; the decision's key does."""
    step, remember = group_shards.step_groups, outcomes.remember

    def step_again_later(*, group_ids: Sequence[int], now: datetime) -> int:
        shards = GroupShard.objects.filter(group_id__in=group_ids)
        before = dict(shards.values_list("pk", "last_bar_close_at"))
        orders = step(group_ids=group_ids, now=now)
        for pk, cursor in before.items():
            GroupShard.objects.filter(pk=pk).update(last_bar_close_at=cursor)
        return orders

    def forget(rows: Sequence[outcomes.Remembered]) -> None:
        remember([row._replace(cursor=None) for row in rows])

    with ExitStack() as stack:
        stack.enter_context(_patched(group_shards, "step_groups", step_again_later))
        stack.enter_context(_patched(outcomes, "remember", forget))
        yield


@contextmanager
def _keys_not_unique() -> Iterator[None]:
    """Neither the bar is remembered nor is the key of a decision unique: its last two defenses."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_orderintent DROP CONSTRAINT intent_once_per_decision")
    with _forgotten_bar():
        yield


@dataclass(frozen=True, slots=True)
class Canary:
    """A breakage, and the scenarios in which it can show: their places and what befalls an order."""

    breakage: Callable[[], AbstractContextManager[None]]
    points: tuple[str, ...]
    faults: frozenset[FaultKind | None]
    must_sleep: bool = False

    def shows_in(self, plan: Plan) -> bool:
        """Tell whether *plan* is a scenario in which it can show."""
        strikes_order = plan.fault is None or plan.rules[-1].get("call", "CREATE") == "CREATE"
        sleeps = plan.by is signal.SIGSTOP
        return plan.fault in self.faults and strikes_order and (sleeps or not self.must_sleep)


_ANY: Final = frozenset({None, *FAULTS})
_AFTER: Final = frozenset(kind for kind in FAULTS if describe(kind).phase is Phase.AFTER_ACCEPTING)
_LOST: Final = frozenset(
    {FaultKind.ACCEPTED_RESET, FaultKind.ACCEPTED_CLOSED, FaultKind.ACCEPTED_STATUS_503}
)
_LATE_POINTS: Final = ("submission.settled", "reconciliation.applied", "outbox.delivered")

CANARIES: Final[Mapping[str, Canary]] = MappingProxyType(
    {
        "one-lookup": Canary(_one_lookup, ("wire.sent", "submission.reply_read"), _ANY),
        "blind-resend": Canary(_blind_resend, _LATE_POINTS, _AFTER),
        "errors-reject": Canary(_errors_reject, _LATE_POINTS, _AFTER),
        "no-epoch": Canary(_no_epoch, ("submission.prepared",), _ANY, must_sleep=True),
        "library-retries": Canary(_library_retries, _LATE_POINTS, _LOST),
        "redirects": Canary(
            _follows_redirects, _LATE_POINTS, frozenset({FaultKind.ACCEPTED_REDIRECT})
        ),
        "empty-ids": Canary(
            _empty_ids,
            _LATE_POINTS,
            frozenset({FaultKind.ACCEPTED_EMPTY_OBJECT, FaultKind.ACCEPTED_HTML}),
        ),
        "keys-not-unique": Canary(
            _keys_not_unique,
            ("evaluation.stepped",),
            frozenset({FaultKind.FUNDS_GONE, FaultKind.DELISTED, FaultKind.LOT_CHANGED}),
        ),
    }
)

#: A breakage that the key of a decision makes harmless: it must not be noticed.
CONTROLS: Final[Mapping[str, Canary]] = MappingProxyType(
    {
        "forgotten-bar": replace(CANARIES["keys-not-unique"], breakage=_forgotten_bar),
    }
)


def plans_for(canary: Canary, *, seeds: int = SEEDS) -> list[Plan]:
    """Return the scenarios of the first *seeds* seeds in which a breakage can show."""
    drawn = (draw(point, seed) for seed in range(seeds) for point in canary.points)
    return [plan for plan in drawn if canary.shows_in(plan)]


def first_noticed(canary: Canary, *, side_by_side: int, seeds: int = SEEDS) -> Result | None:
    """Return the first scenario in which a breakage, and nothing else, was noticed, or None."""
    plans = plans_for(canary, seeds=seeds)
    results = shards.run(
        plans,
        shards=min(side_by_side, len(plans)),
        breakage=canary.breakage,
        is_enough=lambda result: bool(result.findings),
    )
    for result in [each for each in list(results) if each.findings]:
        whole = shards.run([draw(result.point, result.seed)], shards=1)
        # The same scenario has nothing to find in a platform that is not broken.
        if not any(each.findings for each in whole):
            return result
    return None
