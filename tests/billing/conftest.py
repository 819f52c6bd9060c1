"""What the tests of payments share."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.billing.stripe_fake import StripeServer, serve
from tests.billing.stripe_selling import use_stripe


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[StripeServer]:
    """Stripe's stand-in, one for all tests: connections to it are kept open."""
    with serve() as server:
        yield server


@pytest.fixture
def stripe(stripe_server: StripeServer, settings: Any) -> Iterator[StripeServer]:
    """Stripe's stand-in, through which this installation sells."""
    use_stripe(settings, stripe_server)
    yield stripe_server
    stripe_server.reset()
