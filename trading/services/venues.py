"""Calls to venues for several accounts at once: one event loop, no transaction open.

What goes wrong on the way is an answer as well: the other accounts do not notice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self, TypeVar

from django.conf import settings

from exchanges.adapters import factory, loops
from exchanges.adapters.governor import CallPriority, calling_as
from exchanges.adapters.protocol import (
    BalanceReport,
    FundingPaymentReport,
    OrderRequest,
    Outcome,
    OutcomeKind,
    VenueClient,
)
from foundation.crashpoints import crashpoint
from foundation.transactions import refuse_inside_transaction
from market.enums import MarginMode
from market.errors import PlatformError, VenueError
from trading.services import questions
from trading.services.questions import Answers, Lookups

logger = logging.getLogger(__name__)

#: How far before an order was sent its executions are looked for: clocks differ.
_BEFORE_S: Final = 5

#: After the last look before the wire an order waits for its turn for these parts of the margin of that look.
_OPENING_WAITS: Final = 0.2
_REDUCING_WAITS: Final = 0.9

#: Calls that were begun are given so long to get onto the wire before anything else is done.
_UNDER_WAY_WITHIN_S: Final = 0.1

#: The code of an order that was not sent because the venue did not take how it is margined.
MARGIN_NOT_SET: Final = "margin_not_set"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class MarginTerms:
    """How orders for a swap are margined; set before the first one."""

    leverage: int
    mode: MarginMode


@dataclass(frozen=True, slots=True)
class Submission:
    """An order that is to be sent; its row is already there.

    ``margin`` is set at the venue first. With ``disarms`` the account's dead man's switch is taken
    off first: it would cancel this order too. Both are a ``Readying`` of their own.
    """

    account_id: int
    order_id: int
    request: OrderRequest
    submitted_at: datetime
    margin: MarginTerms | None = None
    disarms: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether nothing has to be set at the venue before."""
        return self.margin is None and not self.disarms


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An order that is to be canceled."""

    account_id: int
    order_id: int
    symbol: str
    client_order_id: str
    venue_order_id: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Readying:
    """What an order needs at its venue before it is sent, which may take as long as the order itself."""

    submission: Submission

    @property
    def account_id(self) -> int:
        """On which account."""
        return self.submission.account_id

    @property
    def order_id(self) -> int:
        """For which order."""
        return self.submission.order_id


Call = Submission | Cancellation

#: What may be on the wire.
Step = Call | Readying


def claim_seconds() -> float:
    """Return how long a claim on an account lasts unless it is prolonged: one slow call.

    Short, because a dead worker's exits wait for its end. A claim that runs out during a call does
    no harm: what the call was for has a row that others wait for.
    """
    return 1.25 * settings.HORIZONS.venue_timeout_s


class VenueSession:
    """Clients of some accounts for the length of one piece of work."""

    def __init__(self, account_ids: Sequence[int] = ()) -> None:
        self._account_ids = tuple(account_ids)
        self._clients: dict[int, VenueClient] = {}
        self._refused: dict[int, PlatformError] = {}
        self._on_the_wire: dict[asyncio.Task[Outcome], Step] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        refuse_inside_transaction("Opening a venue client")
        self._loop = self._stack.enter_context(loops.held())
        self.open(self._account_ids)
        return self

    def open(self, account_ids: Sequence[int]) -> None:
        """Make clients of accounts that have none here yet."""
        missing = [each for each in account_ids if each not in self._clients]
        for account_id, client in factory.venue_clients(missing).items():
            if isinstance(client, PlatformError):
                logger.warning(
                    "venue.not_opened", extra={"account_id": account_id, "code": client.code}
                )
                self._refused[account_id] = client
            else:
                self._clients[account_id] = client

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._run([client.close() for client in self._clients.values()])
        finally:
            self._stack.close()

    @property
    def on_the_wire(self) -> int:
        """How many calls have been begun whose outcome nobody has taken yet."""
        return len(self._on_the_wire)

    def begin(self, calls: Sequence[Step]) -> None:
        """Let orders and cancellations go out side by side, while ``take`` is waited in."""
        refuse_inside_transaction("A call to a venue")
        crashpoint("submission.sending")
        begun = {self._loop.begin(self._carry_out(call)): call for call in calls}
        self._on_the_wire |= begun
        # By the time the first of them is answered all of them are on their way.
        self._loop.go_on(begun, until_done=1, within_s=_UNDER_WAY_WITHIN_S)

    def take(self, *, at_least: int, within_s: float) -> Sequence[tuple[Step, Outcome]]:
        """Return what has come of calls that were begun: so many, or what is there after so long.

        Never raises for an outcome.
        """
        refuse_inside_transaction("A call to a venue")
        ready = sum(task.done() for task in self._on_the_wire)
        if ready < at_least:
            left = [task for task in self._on_the_wire if not task.done()]
            self._loop.go_on(left, until_done=at_least - ready, within_s=within_s)
        done = [task for task in self._on_the_wire if task.done()]
        if done:
            crashpoint("submission.answered")
        return [(self._on_the_wire.pop(task), _outcome_of(task)) for task in done]

    def balances(
        self, account_ids: Sequence[int], *, priorities: Mapping[int, CallPriority]
    ) -> dict[int, Sequence[BalanceReport] | None]:
        """Return what each account holds now; None for one that does not answer.

        The question is as urgent as what it is asked for: *priorities*, by account.
        """
        found = self._run(
            [self._balances(account_id, priorities[account_id]) for account_id in account_ids]
        )
        return dict(zip(account_ids, found, strict=True))

    def funding_payments(
        self, since: Mapping[int, datetime]
    ) -> dict[int, Sequence[FundingPaymentReport] | None]:
        """Return what fundings took and brought accounts since an instant of each; None without an answer."""
        found = self._run([self._funding_payments(each, begin) for each, begin in since.items()])
        return dict(zip(since, found, strict=True))

    def set_dead_men(self, seconds: Mapping[int, int]) -> list[int]:
        """Arm the dead man's switches of accounts for so many seconds, 0 disarms; return who was answered."""
        done = self._run([self._set_dead_man(each, wait) for each, wait in seconds.items()])
        return [each for each, is_done in zip(seconds, done, strict=True) if is_done]

    def ask(self, lookups: Sequence[Lookups], *, within_s: float) -> Iterator[Sequence[Answers]]:
        """Yield what the venues say of orders, executions and balances, as it comes.

        Something is yielded at least every *within_s*, be it nothing: a slow venue keeps nobody else.
        """
        refuse_inside_transaction("A call to a venue")
        asking = {self._loop.begin(self._ask(each)): each for each in lookups}
        while asking:
            self._loop.go_on(asking, until_done=1, within_s=within_s)
            done = [task for task in asking if task.done()]
            yield [_answers_of(task, asking.pop(task)) for task in done]

    def _run(self, coroutines: Sequence[Coroutine[None, None, _T]]) -> Sequence[_T]:
        refuse_inside_transaction("A call to a venue")

        async def together() -> list[_T]:
            return list(await asyncio.gather(*coroutines))

        return self._loop.run(together())

    async def _carry_out(self, call: Step) -> Outcome:
        client = self._clients.get(call.account_id)
        if client is None:
            refusal = self._refused[call.account_id]
            return Outcome(OutcomeKind.NOT_SENT, code=refusal.code, message=refusal.message)
        timeout_s = settings.HORIZONS.venue_timeout_s
        if isinstance(call, Readying):
            with calling_as(_priority_of(call.submission)):
                return await _get_ready(client, call.submission)
        with calling_as(_priority_of(call), patience_s=_patience_s(call)):
            if isinstance(call, Submission):
                outcome = await client.submit(call.request, timeout_s=timeout_s)
            else:
                outcome = await client.cancel(
                    symbol=call.symbol,
                    client_order_id=call.client_order_id,
                    venue_order_id=call.venue_order_id,
                    timeout_s=timeout_s,
                )
                crashpoint("commands.cancel_answered")
        with calling_as(CallPriority.RECONCILE):
            if isinstance(call, Cancellation) and outcome.kind is OutcomeKind.REJECTED:
                # It may have filled or ended just before: only the order itself can tell.
                outcome = await self._look_up(client, call, outcome)
            return await self._with_fills(client, call, outcome)

    async def _set_dead_man(self, account_id: int, seconds: int) -> bool:
        client = self._clients.get(account_id)
        if client is None:
            return False
        with calling_as(CallPriority.CANCEL):
            return await _arm(client, seconds)

    async def _look_up(self, client: VenueClient, call: Cancellation, refused: Outcome) -> Outcome:
        report = await _quietly(
            lambda: client.find_order(symbol=call.symbol, client_order_id=call.client_order_id)
        )
        is_other = report is not None and call.venue_order_id not in {"", report.venue_order_id}
        if report is None or is_other:
            return replace(refused, kind=OutcomeKind.UNKNOWN)
        return replace(refused, kind=OutcomeKind.DONE, report=report)

    async def _with_fills(self, client: VenueClient, call: Call, outcome: Outcome) -> Outcome:
        """Add the executions that the answer tells of but does not name."""
        report = outcome.report
        if outcome.kind is not OutcomeKind.DONE or report is None:
            return outcome
        if sum(fill.quantity for fill in outcome.fills) >= report.filled_quantity:
            return outcome
        since = call.submitted_at - timedelta(seconds=_BEFORE_S)
        fills = await _quietly(lambda: client.fills_since(report.symbol, since=since))
        ours = [fill for fill in fills or () if fill.venue_order_id == report.venue_order_id]
        return replace(outcome, fills=tuple(ours))

    async def _balances(
        self, account_id: int, priority: CallPriority
    ) -> Sequence[BalanceReport] | None:
        client = self._clients.get(account_id)
        if client is None:
            return None
        with calling_as(priority):
            return await _quietly(client.balances)

    async def _funding_payments(
        self, account_id: int, since: datetime
    ) -> Sequence[FundingPaymentReport] | None:
        client = self._clients.get(account_id)
        if client is None:
            return None
        with calling_as(CallPriority.DATA):
            return await _quietly(lambda: client.funding_payments_since(since))

    async def _ask(self, lookups: Lookups) -> Answers:
        client = self._clients.get(lookups.account_id)
        if client is None:
            return questions.unanswered(
                lookups.account_id, problem=self._refused[lookups.account_id]
            )
        with calling_as(CallPriority.RECONCILE):
            return await questions.ask(client, lookups=lookups)


def _outcome_of(task: asyncio.Task[Outcome]) -> Outcome:
    """Return what has come of a call; a mistake of ours leaves its fate unknown, and that of no other."""
    error = None if task.cancelled() else task.exception()
    if error is None and not task.cancelled():
        return task.result()
    logger.error("venue.call_broken", exc_info=error)
    return Outcome(OutcomeKind.UNKNOWN, code="internal_error")


def _answers_of(task: asyncio.Task[Answers], lookups: Lookups) -> Answers:
    """Return what was answered of an account; a mistake of ours is no answer, and that of no other."""
    error = None if task.cancelled() else task.exception()
    if error is None and not task.cancelled():
        return task.result()
    logger.error("venue.question_broken", exc_info=error)
    problem = VenueError("The exchange's answers could not be read.")
    return questions.unanswered(lookups.account_id, problem=problem)


async def _get_ready(client: VenueClient, call: Submission) -> Outcome:
    """Set what an order needs at its venue; return DONE, or why it is not sent."""
    if call.disarms:
        # Whether it works or not: a position without its stop is worse than a switch.
        await _arm(client, 0)
    if call.margin is None:
        return Outcome(OutcomeKind.DONE)
    try:
        await client.set_margin_mode(call.request.symbol, call.margin.mode)
        await client.set_leverage(call.request.symbol, call.margin.leverage)
    except VenueError as error:
        message = f"The exchange did not set a leverage of {call.margin.leverage}: {error.message}"
        return Outcome(OutcomeKind.NOT_SENT, code=MARGIN_NOT_SET, message=message)
    return Outcome(OutcomeKind.DONE)


async def _arm(client: VenueClient, seconds: int) -> bool:
    try:
        await client.arm_dead_man(timeout_s=seconds)
    except VenueError as error:
        logger.warning("venue.switch_not_set", extra={"code": error.code, "seconds": seconds})
        return False
    return True


def _patience_s(call: Call) -> float | None:
    """Return how long *call* may wait for its turn after the last look before the wire.

    What opens something is looked at again soon, for a halt must not find it in a queue; what reduces
    waits no longer than the claim is known to last. A cancellation is right at any time.
    """
    if isinstance(call, Cancellation):
        return None
    share = _REDUCING_WAITS if call.request.reduce_only else _OPENING_WAITS
    return share * settings.HORIZONS.wire_margin_s


def _priority_of(call: Call) -> CallPriority:
    if isinstance(call, Cancellation):
        return CallPriority.CANCEL
    return CallPriority.EXIT if call.request.reduce_only else CallPriority.ENTRY


async def _quietly(ask: Callable[[], Awaitable[_T]]) -> _T | None:
    try:
        return await ask()
    except VenueError as error:
        logger.info("venue.no_answer", extra={"code": error.code})
        return None
