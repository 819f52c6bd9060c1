"""An exchange account for every address that names one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from accounts.models import User
from exchanges.models import AccountKind, AccountStatus, ExchangeAccount, Venue
from tests.factories.exchanges import make_venue


def make_connected_account(
    owner: User, *, venue: Venue | None = None, label: str = "Simulator"
) -> ExchangeAccount:
    """Return a live account whose key was accepted, at a new venue unless one is given."""
    return ExchangeAccount.objects.create(
        owner=owner,
        venue=venue or make_venue("simulator", takes_live_accounts=True),
        kind=AccountKind.LIVE,
        label=label,
        status=AccountStatus.ACTIVE,
        connected_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )


def _account(owner: User) -> Mapping[str, UUID]:
    return {"public_id": make_connected_account(owner).public_id}


OWNED_OBJECTS = {"exchanges": _account, "exchanges-api": _account}
