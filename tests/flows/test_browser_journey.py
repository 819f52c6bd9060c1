"""A person signs up, asks for a backtest and reads its result, in a real browser."""

import secrets

import pytest
from playwright.sync_api import Page, expect

from tests.flows.stack import PATIENCE_S
from tests.web.browsing import BrowserThread, Look, listen
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

# All journeys on one worker, where they share one running platform.
pytestmark = [
    pytest.mark.flow,
    pytest.mark.browser,
    pytest.mark.xdist_group("journeys"),
    pytest.mark.timeout(400),
]


def test_a_stranger_signs_up_and_reads_a_backtest(browser: BrowserThread, stack):  # noqa: F811
    email, password = f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(16)

    def journey(page: Page) -> list[str]:
        heard = listen(page)
        page.goto("/accounts/signup/")
        page.fill("[name=email]", email)
        page.fill("[name=password1]", password)
        page.fill("[name=password2]", password)
        page.locator("main button[type=submit]").click()
        page.goto(stack.link_mailed_to(email, "/accounts/confirm-email/"))
        page.locator("main button[type=submit]").click()
        page.goto("/accounts/login/")
        page.fill("[name=login]", email)
        page.fill("[name=password]", password)
        page.locator("main button[type=submit]").click()
        page.wait_for_url("**/dashboard/")
        page.goto("/backtests/new/?strategy=ema-crossover")
        page.get_by_role("button", name="Run").last.click()
        expect(page.get_by_role("heading", name="Trades").first).to_be_visible(
            timeout=PATIENCE_S * 1_000
        )
        return heard

    assert browser.visit(journey, base_url=stack.url, look=Look()) == []
