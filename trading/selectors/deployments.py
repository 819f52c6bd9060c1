"""A person's deployments, with what they hold and what they have earned."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final
from uuid import UUID

from django.db.models import Case, F, Prefetch, QuerySet, When

from market import money, positions
from market.errors import NotFoundError
from market.positions import Position
from trading.models import (
    IDLE_STATES,
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DeploymentPosition,
    DeploymentRevision,
    Health,
)
from trading.selectors.owners import Owner

#: Deployments, positions or commands that are read for one page.
PAGE_SIZE: Final = 100

#: Nothing happens in a deployment of these states: it has not begun, or it is over.
ENDED_STATES: Final = frozenset(IDLE_STATES)


class DeploymentNotFoundError(NotFoundError):
    """There is no such deployment, or it is somebody else's."""

    code = "deployment_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such deployment.")


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which deployments to list; "" leaves a question open.

    *state* is one of the stored states, ``at-work`` or ``troubled``.
    """

    state: str = ""
    mode: str = ""
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class PositionView:
    """What a deployment holds of an instrument and what came of it, in the settle currency.

    ``net_pnl`` is realized less fees, plus what fundings brought (negative what they took) and unrealized at
    the last price; without a last price the open part counts as unchanged.
    """

    deployment: Deployment
    symbol: str
    base: str
    quote: str
    quantity: Decimal
    average_price: Decimal
    last_price: Decimal | None
    stop_price: Decimal | None
    target_price: Decimal | None
    realized_pnl: Decimal
    fees: Decimal
    funding: Decimal
    unrealized_pnl: Decimal
    version: int

    @property
    def net_pnl(self) -> Decimal:
        """What has been earned, fees and funding paid."""
        return self.realized_pnl - self.fees + self.funding + self.unrealized_pnl

    @property
    def is_open(self) -> bool:
        """Whether anything is held, dust included."""
        return self.quantity != 0


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """One line of the list of deployments."""

    deployment: Deployment
    symbols: tuple[str, ...]
    positions: tuple[PositionView, ...]

    @property
    def net_pnl(self) -> Decimal:
        """What has been earned in all instruments, fees paid."""
        return sum((each.net_pnl for each in self.positions), Decimal(0))

    @property
    def equity(self) -> Decimal:
        """Capital plus what has been earned."""
        capital: Decimal = self.deployment.capital
        return capital + self.net_pnl

    @property
    def return_fraction(self) -> Decimal:
        """What has been earned as a fraction of the capital."""
        return money.quantize_money(self.net_pnl / self.deployment.capital)


def get_deployment_for(owner: Owner, *, public_id: UUID) -> Deployment:
    """Return a deployment of *owner*; raise DeploymentNotFoundError for any other."""
    try:
        return _of(owner).get(public_id=public_id)
    except Deployment.DoesNotExist:
        raise DeploymentNotFoundError from None


def view_deployment_for(owner: Owner, *, public_id: UUID) -> DeploymentView:
    """Return a deployment of *owner* with its positions; raise DeploymentNotFoundError."""
    for deployment in _with_positions(_of(owner).filter(public_id=public_id)):
        return _view(deployment)
    raise DeploymentNotFoundError


def deployments_for(owner: Owner) -> Sequence[DeploymentView]:
    """Return the deployments of *owner*, those that have not ended first, then the newest."""
    found = _with_positions(_of(owner).order_by("-pk"))[:PAGE_SIZE]
    return [
        _view(each) for each in sorted(found, key=lambda each: each.actual_state in ENDED_STATES)
    ]


def listed_for(owner: Owner, *, wanted: ListFilter) -> QuerySet[Deployment, Deployment]:
    """Return the deployments of *owner* that are asked for with what they hold, the idle ones last."""
    found = _of(owner)
    match wanted.state:
        case "at-work":
            found = found.exclude(actual_state__in=IDLE_STATES)
        case "troubled":
            found = found.exclude(actual_state__in=IDLE_STATES).exclude(health=Health.OK)
        case "":
            pass
        case state:
            found = found.filter(actual_state=state)
    if wanted.mode:
        found = found.filter(account__kind=wanted.mode)
    if wanted.strategy:
        found = found.filter(strategy_version__strategy__slug=wanted.strategy)
    is_idle = Case(When(actual_state__in=IDLE_STATES, then=1), default=0)
    return _with_positions(found).order_by(is_idle, "-pk")


def strategies_of(owner: Owner) -> list[tuple[str, str]]:
    """Return slug and name of the strategies that *owner* has deployed."""
    columns = ("strategy_version__strategy__slug", "strategy_version__strategy__name")
    return list(_of(owner).order_by(*columns).values_list(*columns).distinct())


def open_positions_of(owner: Owner) -> QuerySet[DeploymentPosition, DeploymentPosition]:
    """Return what the deployments of *owner* hold, the newest first."""
    return (
        DeploymentPosition.objects.filter(owner_id=owner.pk)
        .exclude(quantity=0)
        .select_related("instrument__venue", "deployment__account__venue")
        .order_by(F("opened_at").desc(nulls_last=True), "-pk")
    )


def revision_of(deployment: Deployment) -> DeploymentRevision:
    """Return the revision in force, or the last one that was."""
    revisions = DeploymentRevision.objects.filter(deployment=deployment).select_related("group")
    return revisions.order_by("-number")[:1].get()


def commands_for(owner: Owner, *, deployment: Deployment) -> Sequence[DeploymentCommand]:
    """Return the last commands to a deployment of *owner*, newest first."""
    found = DeploymentCommand.objects.filter(owner_id=owner.pk, deployment=deployment)
    return list(found.order_by("-pk")[:20])


def has_unfinished_on(*, account_id: int) -> bool:
    """Tell whether a deployment that has not ended uses the account."""
    return (
        Deployment.objects.filter(account_id=account_id)
        .exclude(actual_state__in=ENDED_STATES)
        .exists()
    )


def _of(owner: Owner) -> QuerySet[Deployment, Deployment]:
    return Deployment.objects.filter(owner_id=owner.pk).select_related(
        "strategy_version__strategy", "account__venue"
    )


def _with_positions(
    found: QuerySet[Deployment, Deployment],
) -> QuerySet[Deployment, Deployment]:
    held = DeploymentPosition.objects.select_related("instrument").order_by("pk")
    traded = DeploymentInstrument.objects.select_related("instrument").order_by("pk")
    return found.prefetch_related(
        Prefetch("positions", queryset=held), Prefetch("instruments", queryset=traded)
    )


def _view(deployment: Deployment) -> DeploymentView:
    return DeploymentView(
        deployment=deployment,
        symbols=tuple(row.instrument.symbol for row in deployment.instruments.all()),
        positions=tuple(_view_position(row, deployment) for row in deployment.positions.all()),
    )


def _view_position(row: DeploymentPosition, deployment: Deployment) -> PositionView:
    value = Position(row.quantity, row.average_price, row.realized_pnl, row.fees)
    open_pnl = Decimal(0)
    if row.last_price is not None and not value.is_flat:
        with localcontext(money.WIDE):
            open_pnl = money.quantize_money(positions.unrealized_pnl(value, row.last_price))
    return PositionView(
        deployment=deployment,
        symbol=row.instrument.symbol,
        base=row.instrument.base,
        quote=row.instrument.quote,
        quantity=row.quantity,
        average_price=row.average_price,
        last_price=row.last_price,
        stop_price=row.stop_price,
        target_price=row.target_price,
        realized_pnl=row.realized_pnl,
        fees=row.fees,
        funding=row.funding,
        unrealized_pnl=open_pnl,
        version=row.version,
    )


def at_work_for(owner: Owner, *, limit: int = PAGE_SIZE) -> list[Deployment]:
    """Return the deployments of *owner* that have not ended, the newest first, at most *limit*."""
    found = Deployment.objects.filter(owner_id=owner.pk).exclude(actual_state__in=IDLE_STATES)
    return list(found.order_by("-pk")[:limit])
