"""What deployments have earned: in total, and fill by fill."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Final

from django.db.models import F, Sum, Window
from django.db.models.functions import RowNumber

from market import money, positions
from market.positions import Position
from trading.models import DeploymentPosition, Fill, FundingPayment
from trading.selectors.owners import Owner

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Result:
    """Profit and loss in the settle currency; ``net`` is what is left of both after fees and funding.

    ``funding`` is what fundings brought, negative what they took.
    """

    realized: Decimal = _ZERO
    unrealized: Decimal = _ZERO
    fees: Decimal = _ZERO
    funding: Decimal = _ZERO

    @property
    def net(self) -> Decimal:
        """Realized and unrealized together, fees and funding paid."""
        with localcontext(money.WIDE):
            return self.net_realized + self.unrealized

    @property
    def net_realized(self) -> Decimal:
        """What is settled, fees and funding paid."""
        with localcontext(money.WIDE):
            return self.realized - self.fees + self.funding

    def __add__(self, other: "Result") -> "Result":
        with localcontext(money.WIDE):
            return Result(
                self.realized + other.realized,
                self.unrealized + other.unrealized,
                self.fees + other.fees,
                self.funding + other.funding,
            )


def result_of(rows: Iterable[DeploymentPosition]) -> Result:
    """Return the sum over positions, valued at the last price that was seen; without one as bought."""
    return sum((_result_of_one(row) for row in rows), Result())


def earned_by_fill(
    owner: Owner, *, deployment_ids: Collection[int], at_most: int
) -> Mapping[int, tuple[Decimal, ...]]:
    """Return what each deployment's last *at_most* fills earned, summed up fill by fill, after fees.

    Each series starts at 0 and is oldest first; a deployment without fills is absent. What fundings brought or took
    between two fills is in the later one, and what came after the last is a point of its own.
    """
    newest_first = Window(RowNumber(), partition_by=F("deployment_id"), order_by=F("pk").desc())
    fills = (
        Fill.objects.filter(owner_id=owner.pk, deployment_id__in=deployment_ids)
        .annotate(age=newest_first)
        .filter(age__lte=at_most)
        .order_by("deployment_id", "pk")
        .values_list("deployment_id", "venue_at", "realized_pnl", "fee_in_quote")
    )
    payments = _payments(owner, deployment_ids)
    series: dict[int, list[Decimal]] = {}
    with localcontext(money.WIDE):
        for deployment_id, at, realized, fee in fills:
            own = payments[deployment_id]
            if deployment_id not in series:
                _take(own, until=at)
            sums = series.setdefault(deployment_id, [_ZERO])
            sums.append(sums[-1] + _take(own, until=at) + realized - (fee or _ZERO))
        for deployment_id, sums in series.items():
            if payments[deployment_id]:
                sums.append(sums[-1] + _take(payments[deployment_id], until=None))
    return {deployment_id: tuple(sums) for deployment_id, sums in series.items()}


def _payments(
    owner: Owner, deployment_ids: Collection[int]
) -> dict[int, deque[tuple[datetime, Decimal]]]:
    """Return what fundings brought, by deployment, oldest first."""
    found: dict[int, deque[tuple[datetime, Decimal]]] = defaultdict(deque)
    rows = FundingPayment.objects.filter(owner_id=owner.pk, deployment_id__in=deployment_ids)
    for deployment_id, at, amount in rows.order_by("paid_at", "pk").values_list(
        "deployment_id", "paid_at", "amount"
    ):
        found[deployment_id].append((at, amount))
    return found


def _take(payments: deque[tuple[datetime, Decimal]], *, until: datetime | None) -> Decimal:
    """Take the oldest *payments* up to an instant, or all; return their sum."""
    taken = _ZERO
    while payments and (until is None or payments[0][0] <= until):
        taken += payments.popleft()[1]
    return taken


def unvalued_fees(owner: Owner, *, deployment_id: int) -> Mapping[str, Decimal]:
    """Return the fees of a deployment that nobody could value, by currency: they are in no result."""
    fills = Fill.objects.filter(
        owner_id=owner.pk, deployment_id=deployment_id, fee_in_quote=None, fee__gt=0
    )
    totals = fills.values_list("fee_currency").annotate(total=Sum("fee")).order_by("fee_currency")
    return dict(totals)


def _result_of_one(row: DeploymentPosition) -> Result:
    position = Position(row.quantity, row.average_price, row.realized_pnl, row.fees)
    price = row.average_price if row.last_price is None else row.last_price
    unrealized = money.quantize_money(positions.unrealized_pnl(position, price))
    return Result(row.realized_pnl, unrealized, row.fees, row.funding)
