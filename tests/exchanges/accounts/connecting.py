"""Connecting an account in one line."""

from typing import Any

from accounts.models import User
from exchanges.models import ExchangeAccount
from exchanges.selectors import accounts as selectors
from exchanges.services import account_tests, accounts
from foundation.audit import Actor
from tests.exchanges.accounts.conftest import API_KEY, NOW, SECRET


def connect(owner: User, **fields: Any) -> ExchangeAccount:
    """Connect an account with the canaries as keys; its test is asked for and not done."""
    arguments: dict[str, Any] = {
        "owner": owner,
        "venue_code": "memory",
        "label": "Main",
        "api_key": API_KEY,
        "secret": SECRET,
        "by": Actor.person(owner.pk),
        "now": NOW,
    }
    return accounts.connect_account(**(arguments | fields))


def run_test(account: ExchangeAccount) -> ExchangeAccount:
    """Do the test as the worker does, and return the account anew."""
    account_tests.run_test(account_id=account.pk, clock=lambda: NOW)
    return reread(account)


def reread(account: ExchangeAccount) -> ExchangeAccount:
    """Return the account as it is stored now."""
    return selectors.get_account_for(account.owner, public_id=account.public_id)
