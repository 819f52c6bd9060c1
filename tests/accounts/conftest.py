"""What the tests of the people share."""

import pytest
from django.core.cache import cache

from config.settings import base


@pytest.fixture
def limits(settings):
    """Count tries as in production, from nothing."""
    settings.ACCOUNT_RATE_LIMITS = base.ACCOUNT_RATE_LIMITS
    cache.clear()
