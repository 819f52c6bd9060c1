"""The moving parts of a deployment's page: each with a tag that changes when what it shows does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2s
from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse

from trading.models import (
    Deployment,
    DeploymentCommand,
    Fill,
    Order,
)
from trading.selectors import holdings, results
from trading.selectors.decisions import DecisionView
from trading.selectors.entitled import Entitlement
from trading.selectors.results import Result
from trading.web import actions, presenters
from trading.web.presenters import State

if TYPE_CHECKING:
    from exchanges.models import Instrument

_TAG_BYTES: Final = 5
_SEPARATOR: Final = "."
_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the page: its template is ``trading/_<name>.html`` and gets *view*."""

    name: str
    view: Any  # each part has a view-model of its own

    @property
    def template(self) -> str:
        """The template that shows it."""
        return f"trading/_{self.name}.html"

    @property
    def tag(self) -> str:
        """A digest of what is shown."""
        return blake2s(repr(self.view).encode(), digest_size=_TAG_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class Live:
    """All moving parts; ``since`` is what a poll sends to hear only of what has changed since."""

    parts: tuple[Part, ...]
    url: str
    interval: str

    @property
    def since(self) -> str:
        """The tags of all parts."""
        return _SEPARATOR.join(part.tag for part in self.parts)

    def changed(self, since: str) -> tuple[Part, ...]:
        """Return the parts that are not as they were at *since*; all of them if it is not readable."""
        tags = since.split(_SEPARATOR)
        if len(tags) != len(self.parts):
            return self.parts
        return tuple(part for part, tag in zip(self.parts, tags, strict=True) if part.tag != tag)


@dataclass(frozen=True, slots=True)
class CommandView:
    """The last command, who gave it unless it was the owner, and how far it is."""

    label: str
    by: str
    note: str
    requested_at: datetime
    done_at: datetime | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The right to it, what was asked, what is true, what keeps it from working, and the figures.

    ``unvalued_fees`` are in no figure: currencies and amounts that nobody could value.
    """

    badge: State
    entitlement: State
    entitled_until: datetime | None
    desired: State
    actual: State
    is_changing: bool
    health: State
    needs_attention: bool
    health_message: str
    command: CommandView | None
    result: Result
    net_fraction: Decimal
    currency: str
    unvalued_fees: str


@dataclass(frozen=True, slots=True)
class PositionPart:
    """What is held; ``side`` is empty when that is nothing, or only ``dust`` too small to sell."""

    base: str
    currency: str
    tick: Decimal
    dust: Decimal
    last_price: Decimal | None
    last_price_at: datetime | None
    side: str = ""
    quantity: Decimal = Decimal(0)
    entry_price: Decimal | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    value: Decimal | None = None
    unrealized: Decimal = Decimal(0)
    opened_at: datetime | None = None
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class PositionsPart:
    """What is held of a universe, market by market; those in which nothing is held come last."""

    rows: tuple[PositionPart, ...]
    currency: str


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of an order."""

    at: datetime
    status: State
    actor: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its steps, oldest first."""

    id: str
    submitted_at: datetime
    symbol: str
    leg: str
    side: State
    type: str
    quantity: Decimal
    filled: Decimal
    price: Decimal | None
    price_label: str
    tick: Decimal
    status: State
    reason: str
    client_order_id: str
    venue_order_id: str
    steps: tuple[StepView, ...]


@dataclass(frozen=True, slots=True)
class FillView:
    """An execution."""

    at: datetime
    symbol: str
    side: State
    quantity: Decimal
    price: Decimal
    tick: Decimal
    fee: Decimal
    fee_currency: str
    realized: Decimal
    currency: str
    closes: bool
    is_manual: bool


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A decision *at* a close, or several in a row with the same one: ``bars`` of them since ``since_at``."""

    at: datetime
    sentence: str
    acts: bool
    bars: int
    since_at: datetime


def present_live(
    deployment: Deployment,
    *,
    commands: Iterable[DeploymentCommand],
    orders: Iterable[Order],
    fills: Iterable[Fill],
    decisions: Iterable[DecisionView],
    entitlement: Entitlement,
    unvalued_fees: Mapping[str, Decimal],
) -> Live:
    """Return the moving parts of the page; what it did is newest first."""
    ended = deployment.actual_state in presenters.ENDED
    return Live(
        parts=(
            Part("actions", actions.present_actions(deployment)),
            Part("summary", _summary(deployment, commands, entitlement, unvalued_fees)),
            Part("position", _positions(deployment)),
            Part("orders", tuple(present_order(order) for order in orders)),
            Part("fills", tuple(_fill(fill) for fill in fills)),
            Part("decisions", tuple(present_lines(decisions)[:_LINES])),
        ),
        url=reverse("trading:live", args=[deployment.public_id]),
        interval="every 10s" if ended else "every 2s",
    )


def _summary(
    deployment: Deployment,
    commands: Iterable[DeploymentCommand],
    entitlement: Entitlement,
    unvalued_fees: Mapping[str, Decimal],
) -> Summary:
    result = results.result_of(deployment.positions.all())
    return Summary(
        badge=presenters.account_badge(deployment.account),
        entitlement=State("ACTIVE" if entitlement.holds else "ENDED", entitlement.label),
        entitled_until=entitlement.ends_at if entitlement.holds else None,
        desired=presenters.desired_state(deployment),
        actual=presenters.actual_state(deployment),
        is_changing=presenters.is_changing(deployment),
        health=State(deployment.health, deployment.get_health_display()),
        needs_attention=presenters.needs_attention(deployment),
        health_message=deployment.health_message,
        command=next(map(_command, commands), None),
        result=result,
        net_fraction=result.net / deployment.capital,
        currency=holdings.instrument_of(deployment).settle,
        unvalued_fees=", ".join(
            f"{amount.normalize():f} {currency}" for currency, amount in unvalued_fees.items()
        ),
    )


def _command(command: DeploymentCommand) -> CommandView:
    return CommandView(
        label=command.get_kind_display(),
        by=_by(command),
        note=command.note,
        requested_at=command.requested_at,
        done_at=command.done_at,
        outcome=command.outcome,
    )


def _by(command: DeploymentCommand) -> str:
    if command.actor_kind == "system":
        return "the platform"
    return "" if command.actor_identifier == str(command.owner_id) else "an operator"


def _positions(deployment: Deployment) -> PositionPart | PositionsPart:
    traded = holdings.instruments_of(deployment)
    parts = [_position(deployment, instrument) for instrument in traded]
    if len(parts) == 1:
        return parts[0]
    parts.sort(key=lambda each: not each.side)
    return PositionsPart(tuple(parts), traded[0].settle)


def _position(deployment: Deployment, instrument: "Instrument") -> PositionPart:
    row = holdings.position_of(deployment, instrument=instrument)
    held = holdings.held_quantity(row)
    part = PositionPart(
        symbol=instrument.symbol,
        base=instrument.base,
        currency=instrument.settle,
        tick=instrument.tick_size,
        dust=abs(row.quantity) if row and not held else Decimal(0),
        last_price=row.last_price if row else None,
        last_price_at=row.last_price_at if row else None,
    )
    if row is None or not held:
        return part
    return replace(
        part,
        side="Long" if held > 0 else "Short",
        quantity=abs(held),
        entry_price=row.average_price,
        stop_price=row.stop_price,
        target_price=row.target_price,
        value=None if row.last_price is None else abs(held) * row.last_price,
        unrealized=results.result_of([row]).unrealized,
        opened_at=row.opened_at,
    )


def present_order(order: Order) -> OrderView:
    """Return an order with its steps."""
    price, label = order.average_price, "average"
    if price is None:
        price, label = order.trigger_price, "trigger"
    if price is None:
        price, label = order.price, "limit"
    return OrderView(
        id=str(order.public_id),
        submitted_at=order.submitted_at,
        symbol=order.instrument.symbol,
        leg=order.get_leg_display(),
        side=State(order.side, order.get_side_display()),
        type=order.get_order_type_display(),
        quantity=order.quantity,
        filled=order.filled_quantity,
        price=price,
        price_label=label if price is not None else "",
        tick=order.instrument.tick_size,
        status=State(order.status, order.get_status_display()),
        reason=order.reason_message or order.reason_code,
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        steps=tuple(
            StepView(
                step.at,
                State(step.to_status, step.get_to_status_display()),
                f"the {step.get_actor_display().lower()}",
            )
            for step in order.transitions.all()
        ),
    )


def _fill(fill: Fill) -> FillView:
    return FillView(
        at=fill.venue_at,
        symbol=fill.instrument.symbol,
        side=State(fill.side, fill.get_side_display()),
        quantity=fill.quantity,
        price=fill.price,
        tick=fill.instrument.tick_size,
        fee=fill.fee,
        fee_currency=fill.fee_currency,
        realized=fill.realized_pnl,
        currency=fill.instrument.settle,
        closes=fill.order.leg != "ENTRY",
        is_manual=fill.is_manual,
    )


def present_lines(decisions: Iterable[DecisionView]) -> list[DecisionLine]:
    """Return decisions as sentences; the same one at bar after bar becomes one line."""
    lines: list[DecisionLine] = []
    previous = ""
    for decision in decisions:
        _, _, said = decision.sentence.partition(": ")
        said = f"{decision.symbol} {said}"
        if said == previous:
            last = lines[-1]
            lines[-1] = replace(last, bars=last.bars + 1, since_at=decision.bar_close_at)
        else:
            acts = decision.reason.acts
            at = decision.bar_close_at
            lines.append(DecisionLine(at, decision.sentence, acts, 1, at))
        previous = said
    return lines
