"""What the pages of exchange accounts show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from exchanges.models import AccountKind, AccountStatus, ExchangeAccount
from exchanges.selectors import accounts


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What an account holds of one currency."""

    currency: str
    free: Decimal
    used: Decimal


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One account; ``status`` is the code for the badge, ``last_four`` empty if there is no key."""

    public_id: UUID
    label: str
    venue: str
    is_paper: bool
    real_money: bool
    status: str
    status_label: str
    code: str
    message: str
    tone: str
    last_four: str
    is_testing: bool
    is_closed: bool
    version: int
    tested_at: datetime | None
    connected_at: datetime | None
    closed_at: datetime | None
    balances: Sequence[BalanceRow]
    balances_at: datetime | None


def present_account(account: ExchangeAccount) -> AccountPage:
    """Return the page of an account that came from the selectors."""
    credential = accounts.credential_in_use(account)
    balances = list(account.balances.all())
    is_closed = account.closed_at is not None
    is_testing = account.status == AccountStatus.TESTING and not is_closed
    is_refused = account.status == AccountStatus.REJECTED
    return AccountPage(
        public_id=account.public_id,
        label=account.label,
        venue=account.venue.name,
        is_paper=account.kind == AccountKind.PAPER,
        real_money=account.venue.real_money and account.kind == AccountKind.LIVE,
        status="CLOSED" if is_closed else account.status,
        status_label="Closed" if is_closed else account.get_status_display(),
        code=account.status_code,
        message="" if is_closed else account.status_message,
        tone="loss" if is_refused else "warning",
        last_four=credential.last_four if credential else "",
        is_testing=is_testing,
        is_closed=is_closed,
        version=account.version,
        tested_at=account.tested_at,
        connected_at=account.connected_at,
        closed_at=account.closed_at,
        balances=[BalanceRow(b.currency, b.free, b.used) for b in balances],
        balances_at=max((b.venue_at for b in balances), default=None),
    )
