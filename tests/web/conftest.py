"""The browser, once per worker."""

from collections.abc import Iterator

import pytest

from tests.web.browsing import BrowserThread


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[BrowserThread]:
    """A headless Chromium."""
    running = BrowserThread(chromium_path)
    yield running
    running.close()
