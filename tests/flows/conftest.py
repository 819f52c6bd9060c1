"""One running platform for the journeys of a test worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.stack import Stack, Visitor, register, running_stack


# It ends with the last journey, and not with the session: a dozen processes that nobody needs slow down the rest.
@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole platform, running."""
    folder: Path = tmp_path_factory.mktemp("stack")
    with running_stack(folder) as running:
        yield running


@pytest.fixture
def visitor(stack: Stack) -> Visitor:
    """A new person, signed in."""
    return register(stack)
