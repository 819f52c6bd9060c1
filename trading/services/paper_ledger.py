"""What bars do to paper orders, booked for many deployments at once, in the rows of any other fill.

The stop and the target of a paper position live in the marks of its deployment, as they do in a
backtest; they become orders of their own at the moment they fill.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Final

from django.conf import settings
from django.db import connection

from foundation.copying import copy_rows
from foundation.crashpoints import crashpoint
from foundation.events import publish_many
from foundation.transactions import part_of_transaction
from market import money, positions
from market.enums import Leg, OrderActor, OrderStatus, OrderType, Proof
from market.orders import TERMINAL, KernelFill
from market.timeframes import from_milliseconds
from trading import events
from trading.domain import keys, reports
from trading.domain.kernel import IntentValues
from trading.models import DeploymentPosition, Fill, OrderIntent
from trading.services import fills, intents, order_rows, orders
from trading.services.frames import GroupBar
from trading.services.intents import Decided
from trading.services.order_plans import Planned
from trading.services.orders import Move
from trading.services.paper_books import PaperBook, PaperOrder

_UPDATE_POSITIONS: Final = """
    UPDATE trading_deploymentposition SET quantity = moved.quantity,
           average_price = moved.average_price, realized_pnl = moved.realized_pnl,
           fees = moved.fees, opened_at = moved.opened_at, entry_id = moved.entry_id, last_price = moved.last_price,
           last_price_at = moved.last_price_at,
           version = trading_deploymentposition.version + moved.fills
    FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
                %s::timestamptz[], %s::bigint[], %s::numeric[], %s::timestamptz[], %s::int[])
         AS moved(id, quantity, average_price, realized_pnl, fees, opened_at, entry_id,
                  last_price, last_price_at, fills)
    WHERE trading_deploymentposition.id = moved.id
"""
_UPDATE_DEPLOYMENTS: Final = """
    UPDATE trading_deployment SET version = trading_deployment.version + moved.fills
    FROM unnest(%s::bigint[], %s::int[]) AS moved(id, fills)
    WHERE trading_deployment.id = moved.id
"""


@dataclass(slots=True)
class _Booked:
    """A fill on its way to its row, with the order and the position that it moves."""

    book: PaperBook
    order: PaperOrder
    row: Fill


class PaperLedger:
    """Collects what bars fill and cancel, in whatever markets, and writes it set by set."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        #: In the order in which they first moved, by the id at the venue.
        self._moved: dict[str, tuple[PaperBook, PaperOrder]] = {}
        self._booked: list[_Booked] = []

    def book(
        self,
        book: PaperBook,
        *,
        each: GroupBar,
        made: Sequence[KernelFill],
        met: Mapping[Leg, PaperOrder],
        rests: Mapping[Leg, bool],
    ) -> None:
        """Book what a bar did to the orders that it *met*; *rests* says which still wait."""
        for number, fill in enumerate(made):
            order = met.get(fill.leg) or self._attached(book, fill, each)
            self._fill(book, order, fill, each, number)
        for leg, order in met.items():
            if not rests[leg] and order.status not in TERMINAL:
                self._go(book, order, OrderStatus.CANCELED, bar_open_ms=each.bar.open_time)

    def cancel_entry(self, book: PaperBook) -> None:
        """Cancel what rests to open a position."""
        for order in book.resting():
            if order.leg is Leg.ENTRY:
                why = "the entry is no longer wanted"
                self._go(book, order, OrderStatus.CANCELED, why=why)

    @part_of_transaction
    def write(self) -> None:
        """Store everything that has been booked."""
        if not self._moved:
            return
        self._write_new()
        self._write_moves()
        if self._booked:
            for each in self._booked:
                each.row.order_id = each.order.stored().pk
            copy_rows([each.row for each in self._booked])
            crashpoint("fills.inserted")
            self._write_positions()
            self._tell()
            crashpoint("fills.booked")

    def _go(self, book: PaperBook, order: PaperOrder, to: OrderStatus, **evidence: object) -> None:
        self._moved.setdefault(order.client_order_id, (book, order))
        order.go(to, **evidence)

    def _attached(self, book: PaperBook, fill: KernelFill, each: GroupBar) -> PaperOrder:
        """Return the order of a stop, a target or a ladder's step that has just filled.

        What was decided on an earlier bar of the same step has not become an order either.
        """
        waiting = next((one for one in book.decided if one.values.leg is fill.leg), None)
        if waiting is not None:
            book.decided.remove(waiting)
        decided = waiting or self._decided_by_bar(book, fill, each)
        return PaperOrder(
            decided_at=decided.bar_close_at,
            leg=fill.leg,
            quantity=decided.values.quantity,
            filled=Decimal(0),
            average_price=None,
            status=OrderStatus.SUBMITTING,
            client_order_id=keys.client_order_id(
                salt=settings.INSTALLATION_SALT,
                deployment=book.deployment.public_id,
                decision=decided.key,
                attempt=0,
            ),
            decided=decided,
        )

    def _decided_by_bar(self, book: PaperBook, fill: KernelFill, each: GroupBar) -> Decided:
        instrument = book.instrument
        level = money.from_ticks(fill.price_ticks, tick=instrument.tick_size)
        is_limit = fill.kind is OrderType.LIMIT
        values = IntentValues(
            leg=fill.leg,
            side=fill.side,
            order_type=fill.kind,
            quantity=money.from_lots(fill.lots, step=instrument.lot_step),
            price=level if is_limit else None,
            trigger_price=None if is_limit else level,
            reduce_only=fill.leg is not Leg.LADDER,
            stop_percent=0.0,
            target_percent=0.0,
        )
        key = keys.decision_key(
            revision_id=book.revision_id,
            instrument_id=instrument.pk,
            bar_close_ms=each.close_ms,
            leg=fill.leg,
            step=fill.step,
        )
        return Decided(
            deployment=book.deployment,
            revision_id=book.revision_id,
            instrument_id=instrument.pk,
            key=key,
            values=values,
            decided_price=level,
            bar_close_at=each.closed_at,
            reason=fill.leg.value,
            entry_id=book.entry_id,
            step=fill.step,
        )

    def _fill(
        self, book: PaperBook, order: PaperOrder, fill: KernelFill, each: GroupBar, number: int
    ) -> None:
        instrument, deployment = book.instrument, book.deployment
        price = money.from_ticks(fill.price_ticks, tick=instrument.tick_size)
        quantity = money.from_lots(fill.lots, step=instrument.lot_step)
        fee = money.quantize_money(money.decimal_of(fill.fee))
        at = from_milliseconds(fill.open_time_ms) if fill.at_open else each.closed_at
        before = book.position
        after = positions.apply_fill(
            before, side=fill.side, quantity=quantity, price=price, fee=fee
        )
        row = Fill(
            owner_id=deployment.owner_id,
            deployment_id=deployment.pk,
            account_id=deployment.account_id,
            instrument_id=instrument.pk,
            # The same bar books the same trade, however often it is matched.
            venue_trade_id=f"{order.venue_order_id}-{fill.open_time_ms}-{number}",
            side=fill.side.value,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=instrument.quote,
            fee_in_quote=fee,
            realized_pnl=money.quantize_money(after.realized_pnl - before.realized_pnl),
            liquidity=fill.liquidity.value,
            venue_at=at,
        )
        if (
            order.leg is Leg.ENTRY
            and order.row is not None
            and (before.is_flat or book.entry_id is None)
        ):
            book.entry_id = order.row.intent_id
        self._booked.append(_Booked(book, order, row))
        self._moved.setdefault(order.client_order_id, (book, order))
        book.opened_at = fills.opened_at_after(
            book.opened_at, after=after, side=fill.side, venue_at=at
        )
        book.position = fills.as_stored(after)
        self._move(book, order, quantity=quantity, price=price, trade_id=row.venue_trade_id)

    def _move(
        self,
        book: PaperBook,
        order: PaperOrder,
        *,
        quantity: Decimal,
        price: Decimal,
        trade_id: str,
    ) -> None:
        filled = order.filled + quantity
        with localcontext(money.WIDE):
            spent = order.filled * (order.average_price or Decimal(0)) + quantity * price
            order.average_price = money.quantize_money(spent / filled)
        order.filled = filled
        step = reports.step_for_fill(
            order.status,
            quantity=order.quantity,
            filled=filled,
            actor=reports.speaker(order.status) or OrderActor.VENUE,
        )
        if step.status is not None:
            self._go(book, order, step.status, fill=trade_id, filled=str(filled))

    def _write_new(self) -> None:
        """Store decisions that have filled already, and their orders as they were sent."""
        new = [
            (book, order, order.decided)
            for book, order in self._moved.values()
            if order.row is None and order.decided is not None
        ]
        if not new:
            return
        decided = [each for _, _, each in new]
        intents.write(decided, now=self._now)
        stored = {
            (intent.deployment_id, intent.decision_key): intent
            for intent in OrderIntent.objects.filter(
                deployment_id__in={each.deployment.pk for each in decided},
                decision_key__in={each.key for each in decided},
            )
        }
        planned = []
        for book, order, each in new:
            intent = stored[book.deployment.pk, each.key]
            intent.deployment, intent.instrument = book.deployment, book.instrument
            planned.append(Planned(intent, order.quantity))
        made = orders.create_many(planned, now=self._now)
        for (_, order, _), row in zip(new, made, strict=True):
            order.row = row

    def _write_moves(self) -> None:
        """Store the steps of all orders: the first of each, then the second of those that took two."""
        waiting = []
        for _, order in self._moved.values():
            row = order.stored()
            row.filled_quantity, row.average_price = order.filled, order.average_price
            row.venue_order_id = row.venue_order_id or order.venue_order_id
            waiting.append(order)
        order_rows.store([order.stored() for order in waiting if not order.steps])
        turn = 0
        while waiting := [order for order in waiting if len(order.steps) > turn]:
            moves = []
            for order in waiting:
                row, step = order.stored(), order.steps[turn]
                speaker = reports.speaker(OrderStatus(row.status)) or OrderActor.VENUE
                move = Move(
                    order=row,
                    to=step.to,
                    actor=speaker,
                    proof=Proof.VENUE_RECORD,
                    evidence=step.evidence,
                )
                moves.append(move)
            orders.move_many(moves, now=self._now)
            turn += 1

    def _write_positions(self) -> None:
        books = {each.book.row_id: each.book for each in self._booked}
        newest = {each.book.row_id: each.row for each in self._booked}
        counts = Counter(each.book.row_id for each in self._booked)
        by_deployment = Counter(each.book.deployment.pk for each in self._booked)
        missing = [book for book in books.values() if book.position_id is None]
        made = DeploymentPosition.objects.bulk_create(
            DeploymentPosition(
                owner_id=book.deployment.owner_id,
                deployment_id=book.deployment.pk,
                instrument_id=book.instrument.pk,
            )
            for book in missing
        )
        for book, row in zip(missing, made, strict=True):
            book.position_id = row.pk
        held = [book.position for book in books.values()]
        with connection.cursor() as cursor:
            cursor.execute(
                _UPDATE_POSITIONS,
                [
                    [book.position_id for book in books.values()],
                    [position.quantity for position in held],
                    [position.average_price for position in held],
                    [position.realized_pnl for position in held],
                    [position.fees for position in held],
                    [book.opened_at for book in books.values()],
                    [book.entry_id for book in books.values()],
                    [newest[row_id].price for row_id in books],
                    [newest[row_id].venue_at for row_id in books],
                    [counts[row_id] for row_id in books],
                ],
            )
            cursor.execute(
                _UPDATE_DEPLOYMENTS,
                [
                    list(by_deployment),
                    list(by_deployment.values()),
                ],
            )

    def _tell(self) -> None:
        """Tell of each fill, by one row each and one statement."""
        ours = {each.row.venue_trade_id: each.row for each in self._booked}
        stored = Fill.objects.filter(order_id__in={row.order_id for row in ours.values()})
        publish_many(
            events.FILL_RECORDED,
            occurred_at=self._now,
            told=[
                (ours[name].owner_id, {"deployment_id": ours[name].deployment_id, "fill_id": pk})
                for name, pk in stored.values_list("venue_trade_id", "pk")
                if name in ours
            ],
        )
