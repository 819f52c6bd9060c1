"""One stage for the share of the matrix that the suite plays."""

from collections.abc import Iterator

import pytest

from tests.crash import stage as stages
from tests.crash.stage import Stage
from tests.crash.workers import rehearse


@pytest.fixture
def stage(transactional_db: None) -> Iterator[Stage]:
    """An exchange, and a process that has loaded everything that its forks need."""
    del transactional_db
    with stages.opened() as opened:
        rehearse(opened)
        yield opened
