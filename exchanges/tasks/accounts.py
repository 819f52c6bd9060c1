"""Entry points of exchange accounts."""

from django.utils import timezone

from exchanges.services import account_tests
from foundation.queue import queued_task


@queued_task("exchanges.test_account", queue="control")
def test_account(*, account_id: int) -> None:
    """Test the key of one account."""
    account_tests.run_test(account_id=account_id, clock=timezone.now)


@queued_task("exchanges.sweep_account_tests", queue="control")
def sweep_account_tests() -> None:
    """Find tests whose message was lost."""
    account_tests.sweep_tests(now=timezone.now())


@queued_task("exchanges.start_due_tests", queue="control")
def start_due_tests() -> None:
    """Begin the daily tests whose turn it is."""
    account_tests.start_due_tests(now=timezone.now())
