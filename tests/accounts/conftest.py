"""What the tests of the people share."""

import pytest


@pytest.fixture(autouse=True)
def _as_many_attempts_as_a_suite_needs(settings):
    """All tests come from one address, and the limits of the accounts library count by address."""
    settings.ACCOUNT_RATE_LIMITS = False
