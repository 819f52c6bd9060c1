"""What an account holds against what our fills add up to.

Less than that is drift, and after two looks in a row it pauses what trades there. More is external on
a spot market: somebody else's, left alone. Of a swap there is one position for all, so more is drift too.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from exchanges.adapters.protocol import BalanceReport, PositionReport
from exchanges.services import balances as exchange_balances
from foundation.transactions import part_of_transaction
from market.enums import InstrumentKind
from trading.models import IDLE_STATES, AccountPosition, DeploymentInstrument, DeploymentPosition
from trading.services import health, protection

#: Of the deployed quantity: fees that a venue rounds differently are no drift.
_TOLERANCE: Final = Decimal("0.001")

#: A fill that is reported a moment after the balance looks like drift once, not twice.
_TIMES: Final = 2


@part_of_transaction
def compare(
    *,
    account_id: int,
    instrument_ids: Iterable[int],
    balances: Sequence[BalanceReport],
    positions: Sequence[PositionReport],
    now: datetime,
) -> bool:
    """Store what the venue says an account holds, and compare it with our deployments.

    On a spot market the balance of the base currency is what is held, of a swap its position. Returns
    whether something has moved, or is missing, that our fills do not explain: one may be shown late.
    """
    exchange_balances.record_balances(account_id=account_id, reports=balances, now=now)
    # The symbol of a swap is never the code of a currency.
    held = {balance.currency: balance.free + balance.used for balance in balances}
    held |= {position.symbol: position.quantity for position in positions}
    rows = [
        _compare_instrument(account_id, instrument_id, held, now)
        for instrument_id in instrument_ids
    ]
    drifted = [row for row, _ in rows if row is not None and row.drift_seen >= _TIMES]
    for row in drifted:
        _tell(account_id, row.instrument_id, row.quantity, row.deployed_quantity, now)
    if not drifted:
        health.recover_account(account_id=account_id, codes={health.POSITION_DRIFT}, now=now)
    return any(is_unexplained for _, is_unexplained in rows)


def _compare_instrument(
    account_id: int, instrument_id: int, held: dict[str, Decimal], now: datetime
) -> tuple[AccountPosition | None, bool]:
    """Return what an account holds of an instrument, and whether our fills leave something unexplained."""
    traded = (
        DeploymentInstrument.objects.filter(account_id=account_id, instrument_id=instrument_id)
        .select_related("instrument")
        .first()
    )
    if traded is None:
        return None, False
    instrument = traded.instrument
    deployed = protection.deployed_quantity(account_id=account_id, instrument_id=instrument_id)
    is_spot = instrument.kind == InstrumentKind.SPOT
    quantity = held.get(instrument.base if is_spot else instrument.symbol, Decimal(0))
    row, _ = AccountPosition.objects.select_for_update(of=("self",)).get_or_create(
        account_id=account_id,
        instrument_id=instrument_id,
        defaults={
            "owner_id": traded.owner_id,
            "quantity": quantity,
            "deployed_quantity": deployed,
            "external_quantity": quantity - deployed,
            "venue_at": now,
        },
    )
    tolerance = max(instrument.lot_step, abs(deployed) * _TOLERANCE)
    has_drifted = (deployed - quantity if is_spot else abs(deployed - quantity)) > tolerance
    moved = abs(quantity - deployed - row.external_quantity) > tolerance
    row.quantity, row.deployed_quantity = quantity, deployed
    row.external_quantity = quantity - deployed
    row.drift_seen = min(row.drift_seen + 1, 1_000) if has_drifted else 0
    row.venue_at = now
    row.save()
    return row, moved or has_drifted


def _tell(
    account_id: int, instrument_id: int, quantity: Decimal, deployed: Decimal, now: datetime
) -> None:
    trading = DeploymentInstrument.objects.filter(
        account_id=account_id, instrument_id=instrument_id, is_active=True
    ).exclude(deployment__actual_state__in=IDLE_STATES)
    if deployed:
        holders = DeploymentPosition.objects.filter(instrument_id=instrument_id).exclude(quantity=0)
        trading = trading.filter(deployment__in=holders.values("deployment_id"))
    for each in trading.select_related(
        "deployment__strategy_version__strategy", "instrument"
    ).order_by("deployment_id"):
        message = (
            f"The account holds {quantity.normalize():f} {each.instrument.base}, "
            f"our fills add up to {deployed.normalize():f}."
        )
        health.degrade(each.deployment, code=health.POSITION_DRIFT, message=message, now=now)
