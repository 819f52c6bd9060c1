"""What the API says of exchange accounts; never a key, only its last four characters."""

from typing import Any

from exchanges.models import ExchangeAccount
from exchanges.selectors import accounts


def present_account(account: ExchangeAccount) -> dict[str, Any]:
    """Return an account that came from the selectors."""
    credential = accounts.credential_in_use(account)
    return {
        "id": account.public_id,
        "venue": account.venue.code,
        "kind": account.kind,
        "label": account.label,
        "real_money": account.venue.real_money,
        "status": account.status,
        "is_being_tested": account.is_being_tested,
        "permissions_verified": None
        if credential is None or not account.is_usable
        else not account.is_unverified,
        "status_code": account.status_code,
        "status_message": account.status_message,
        "api_key_last_four": credential.last_four if credential else None,
        "tested_at": account.tested_at,
        "next_test_at": account.next_test_at,
        "connected_at": account.connected_at,
        "closed_at": account.closed_at,
        "balances": [
            {
                "currency": balance.currency,
                "free": f"{balance.free:f}",
                "used": f"{balance.used:f}",
                "at": balance.venue_at,
            }
            for balance in account.balances.all()
        ],
    }
