"""Claimed accounts on their way through a worker: what is prepared, what is on the wire, what is settled.

While one part of the accounts waits for its venue, the next is prepared, and answers are written as
they come, many in one transaction. The event loop runs only while answers are waited for, so that no
transaction is ever open during a call.
"""

import logging
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

from django.db import OperationalError
from django.db.models import Exists, OuterRef

from exchanges.adapters.governor import CallPriority
from exchanges.adapters.protocol import Outcome, OutcomeKind
from exchanges.services import account_states, balances, leases
from exchanges.services.leases import AccountLease
from foundation.crashpoints import crashpoint
from market.enums import InstrumentKind, Leg, OrderStatus
from market.errors import CredentialRejectedError
from market.orders import WORKING
from trading.models import IntentStatus, Order, OrderIntent
from trading.services import fencing, funds, preparation, settlement
from trading.services.funds import Funds
from trading.services.venues import Call, Readying, Step, Submission, VenueSession

logger = logging.getLogger(__name__)

#: An entry, its stop, a cancellation, an exit: more turns than any of it takes.
_ROUNDS: Final = 8

#: With so many calls on the wire no others are prepared.
_MOST_ON_THE_WIRE: Final = 100

#: Answers that are written together: so many, or as many as are there after so long.
_ANSWERS_AT_ONCE: Final = 50
_ANSWERS_WITHIN_S: Final = 0.05

#: What follows from an answer waits for others' entries at most this long: a position is to be protected.
_FOLLOW_WITHIN_S: Final = 0.5

#: Our code for an order that lost its right between its row and the wire.
_RIGHT_LOST: Final = "right_lost"

_NO_FUNDS: Final = "insufficient_balance"


class Service:
    """The accounts that one task serves.

    *now* is the instant at which the monotonic clock said *began_s*; after *until_s* of it no further
    turn is begun.
    """

    def __init__(self, *, now: datetime, began_s: float, until_s: float) -> None:
        self._now = now
        self._began_s = began_s
        self._until_s = until_s
        self._session = VenueSession()
        self._held: dict[int, AccountLease] = {}
        self._rounds: Counter[int] = Counter()
        #: Accounts whose turn it is, and since when.
        self._ready: dict[int, float] = {}
        self._in_flight: Counter[int] = Counter()
        #: Accounts whose venue has to be asked what they have.
        self._doubted: set[int] = set()
        self._has_more = False
        self.calls = 0
        self.has_served = False

    def __enter__(self) -> Self:
        self._session.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._session.__exit__(kind, error, trace)
        finally:
            self._give_back(list(self._held))

    def goes_on(self, *, has_more: bool) -> bool:
        """Tell whether there is anything left to do; *has_more* accounts that could be claimed."""
        is_over = time.monotonic() > self._until_s
        if is_over:
            self._ready.clear()
        self._has_more = has_more and not is_over
        return bool(self._session.on_the_wire or self._ready or self._has_more)

    def wants_more(self) -> bool:
        """Tell whether further accounts are to be claimed now, before those that are here go on."""
        return (
            self._has_more
            and self._session.on_the_wire < _MOST_ON_THE_WIRE
            and not self._is_pressing()
        )

    def take_on(self, held: Sequence[AccountLease]) -> None:
        """Serve claimed accounts: their first turn begins at once."""
        if self.has_served:
            # What is served together lives at one instant: that of the last claim.
            passed_s = time.monotonic() - self._began_s
            self._now, self._began_s = self._now + timedelta(seconds=passed_s), time.monotonic()
        self.has_served = True
        self._held |= {lease.account_id: lease for lease in held}
        self._session.open([lease.account_id for lease in held])
        self._begin([lease.account_id for lease in held])

    def turn(self) -> None:
        """Begin the next turn of accounts that are ready, or take in what has come of the last one."""
        if self._ready and self._session.on_the_wire < _MOST_ON_THE_WIRE:
            part = list(self._ready)[:_MOST_ON_THE_WIRE]
            for account_id in part:
                del self._ready[account_id]
            self._begin(part)
        else:
            self._take_answers()

    # --- there ----------------------------------------------------------------------------------

    def _begin(self, account_ids: Sequence[int]) -> None:
        """Prepare what is due for accounts and send it; those for which nothing is due are given back."""
        now = self._now
        due = self._due(account_ids, now)
        over = [each for each in account_ids if self._rounds[each] >= _ROUNDS]
        self._give_back([each for each in account_ids if each not in due or each in over])
        busy = [each for each in account_ids if each in self._held]
        if not busy:
            return
        self._rounds.update(busy)
        known = self._funds(busy, due, now)
        for prepared in self._prepare(busy, known):
            self._send_prepared(prepared)
        # Those that have nothing on the wire look once more whether anything is left.
        for account_id in busy:
            if account_id in self._held and not self._in_flight[account_id]:
                self._ready.setdefault(account_id, time.monotonic())

    def _prepare(
        self, account_ids: Sequence[int], known: Mapping[int, Funds]
    ) -> Iterator[preparation.Prepared]:
        """Yield what is prepared: for all together, or for each by itself where one of them breaks it."""
        held = [self._held[each] for each in account_ids]
        try:
            yield preparation.prepare(held=held, known=known, now=self._now)
        except OperationalError:
            raise
        except Exception:
            if len(account_ids) > 1:
                for each in account_ids:
                    yield from self._prepare([each], known)
                return
            logger.exception("submission.broken", extra={"account_id": account_ids[0]})
            preparation.put_off(account_id=account_ids[0], now=self._now)
            self._give_back(account_ids)

    def _send_prepared(self, prepared: preparation.Prepared) -> None:
        crashpoint("submission.prepared")
        for account_id in prepared.lost:
            logger.warning("submission.lease_lost", extra={"account_id": account_id})
            del self._held[account_id]
        self._doubted |= prepared.unsure
        self._send(prepared.calls)

    def _send(self, calls: Sequence[Call]) -> None:
        """Get ready at the venue what has to be, and send the rest."""
        unready = [each for each in calls if isinstance(each, Submission) and not each.is_ready]
        if unready:
            self._put_on_the_wire([Readying(each) for each in unready])
            calls = [each for each in calls if each not in unready]
        self._send_ready(calls)

    def _send_ready(self, calls: Sequence[Call]) -> None:
        """Send what may still be sent by the last look before the wire; the rest ends here."""
        orders = [call.order_id for call in calls if isinstance(call, Submission)]
        sendable = fencing.sendable(orders, held=list(self._held.values())) if orders else ()
        refused = set(orders).difference(sendable)
        allowed = [call for call in calls if call.order_id not in refused]
        if refused:
            answer = Outcome(OutcomeKind.NOT_SENT, code=_RIGHT_LOST)
            self._settle([(call, answer) for call in calls if call.order_id in refused])
        self.calls += len(allowed)
        self._put_on_the_wire(allowed)

    def _put_on_the_wire(self, calls: Sequence[Step]) -> None:
        self._in_flight.update(call.account_id for call in calls)
        if calls:
            self._session.begin(calls)

    def _due(self, account_ids: Sequence[int], now: datetime) -> dict[int, bool]:
        """Return for which of the accounts something is due, and whether it is to get out of something."""
        waiting = OrderIntent.objects.filter(
            account__in=account_ids, status=IntentStatus.NEW, not_before__lte=now
        )
        in_the_way = Order.objects.filter(
            deployment=OuterRef("deployment"),
            instrument=OuterRef("instrument"),
            reduce_only=True,
            status__in=[status.value for status in WORKING],
        )
        due: dict[int, bool] = {}
        for account_id, reduces, leg, kind, has_to_wait in (
            waiting.annotate(has_to_wait=Exists(in_the_way))
            .values_list("account_id", "reduce_only", "leg", "instrument__kind", "has_to_wait")
            .distinct()
        ):
            due[account_id] = due.get(account_id, False) or reduces
            if reduces and leg != Leg.STOP and kind == InstrumentKind.SPOT and not has_to_wait:
                # What is sold off must be all that is there, and no more.
                self._doubted.add(account_id)
        cancels = Order.objects.filter(
            account__in=account_ids,
            status=OrderStatus.PENDING_CANCEL.value,
            next_check_at__lte=now,
        )
        for account_id in cancels.values_list("account_id", flat=True):
            due.setdefault(account_id, True)
        return due

    def _funds(
        self, account_ids: Sequence[int], due: Mapping[int, bool], now: datetime
    ) -> dict[int, Funds]:
        known = funds.remembered(
            [each for each in account_ids if each not in self._doubted], now=now
        )
        asking = [each for each in account_ids if each not in known]
        if asking:
            urgency = {
                each: CallPriority.EXIT if due[each] else CallPriority.ENTRY for each in asking
            }
            told = self._session.balances(asking, priorities=urgency)
            answered = {each: said for each, said in told.items() if said is not None}
            balances.note_balances(answered, now=now)
            known |= {account_id: Funds.of(said) for account_id, said in told.items()}
            self._doubted.difference_update(asking)
        return known

    # --- and back -------------------------------------------------------------------------------

    def _take_answers(self) -> None:
        answers = self._session.take(at_least=_ANSWERS_AT_ONCE, within_s=_ANSWERS_WITHIN_S)
        if not answers:
            return
        for call, _ in answers:
            self._in_flight[call.account_id] -= 1
        self._send_ready(_made_ready(answers))
        self._settle(_settled_by(answers))
        at_s = time.monotonic()
        for account_id in {call.account_id for call, _ in answers}:
            if not self._in_flight[account_id]:
                self._ready.setdefault(account_id, at_s)

    def _settle(self, answers: Sequence[tuple[Call, Outcome]]) -> None:
        now = self._now
        settlement.settle_many(answers, now=now)
        crashpoint("submission.settled")
        taken = {call.account_id for call, said in answers if said.kind is OutcomeKind.DONE}
        account_states.note_acceptances(account_ids=taken)
        for call, outcome in answers:
            if outcome.code == _NO_FUNDS:
                self._doubted.add(call.account_id)
            if outcome.code == CredentialRejectedError.code:
                account_states.note_refusal(
                    account_id=call.account_id,
                    code=outcome.code,
                    message="The exchange does not accept this API key.",
                    now=now,
                )

    def _is_pressing(self) -> bool:
        oldest_s = min(self._ready.values(), default=None)
        return oldest_s is not None and time.monotonic() - oldest_s > _FOLLOW_WITHIN_S

    def _give_back(self, account_ids: Collection[int]) -> None:
        given = [self._held.pop(each) for each in account_ids if each in self._held]
        if given:
            leases.release_many(given)


_Answers = Sequence[tuple[Step, Outcome]]


def _made_ready(answers: _Answers) -> list[Submission]:
    return [
        call.submission
        for call, outcome in answers
        if isinstance(call, Readying) and outcome.kind is OutcomeKind.DONE
    ]


def _settled_by(answers: _Answers) -> list[tuple[Call, Outcome]]:
    """Return what answers mean for orders: one that could not be made ready was not sent."""
    settled: list[tuple[Call, Outcome]] = []
    for call, outcome in answers:
        if not isinstance(call, Readying):
            settled.append((call, outcome))
        elif outcome.kind is not OutcomeKind.DONE:
            settled.append((call.submission, replace(outcome, kind=OutcomeKind.NOT_SENT)))
    return settled
