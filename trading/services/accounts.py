"""What becomes of deployments when their account does."""

from datetime import datetime
from typing import TYPE_CHECKING

from foundation.transactions import transactional
from market.errors import ConflictError
from trading.selectors import deployments
from trading.services import health

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount


class AccountInUseError(ConflictError):
    """Something still trades on the account."""

    code = "account_in_use"

    def __init__(self, label: str) -> None:
        super().__init__(f"Something still trades on “{label}”. Stop its deployments first.")


def refuse_closing(account: "ExchangeAccount") -> None:
    """Raise AccountInUseError while a deployment on *account* has not ended."""
    if deployments.has_unfinished_on(account_id=account.pk):
        raise AccountInUseError(account.label)


@transactional
def note_invalidated(*, account_id: int, code: str, now: datetime) -> None:
    """Say of every deployment on an account that its key does not work any more."""
    health.degrade_account(
        account_id=account_id,
        code=health.ACCOUNT_NOT_CONNECTED,
        message=f"The exchange does not accept the key of this account any more ({code}).",
        now=now,
    )
