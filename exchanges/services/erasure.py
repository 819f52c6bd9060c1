"""What the exchanges forget of a person who is deleted."""

from datetime import datetime

from exchanges.models import Balance, Credential, EquitySnapshot, ExchangeAccount
from foundation import audit
from foundation.transactions import transactional

_ACTOR = audit.Actor.system("erasure")


@transactional
def forget_owner(*, owner_id: int, now: datetime) -> int:
    """Delete a person's keys, balances and what they were worth, and close their accounts; return how many accounts there are.

    The accounts themselves stay, under the name of their venue: orders point to them. A repeat changes nothing.
    """
    accounts = list(
        ExchangeAccount.objects.select_for_update(of=("self",))
        .select_related("venue")
        .filter(owner_id=owner_id)
        .order_by("pk")
    )
    Credential.objects.filter(owner_id=owner_id).delete()
    Balance.objects.filter(owner_id=owner_id).delete()
    EquitySnapshot.objects.filter(owner_id=owner_id).delete()
    for account in accounts:
        was_open = account.closed_at is None
        account.closed_at = account.closed_at or now
        account.connected_at = account.next_test_at = account.test_requested_at = None
        account.label = account.venue.name
        account.version += 1
        account.save(
            update_fields=[
                "closed_at", "connected_at", "next_test_at", "test_requested_at", "label", "version"
            ]
        )  # fmt: skip
        if was_open:
            audit.record(
                actor=_ACTOR, verb="exchange_account.erased", target=account, owner_id=owner_id
            )
    return len(accounts)
