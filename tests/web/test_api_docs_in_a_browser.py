"""The page of the API in a browser: drawn from our own files under the strict policy."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.browsing import BrowserThread, Look, Viewport, listen

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

_SIGN_IN = "#operations-auth-auth_tokens_post"


@pytest.mark.parametrize("viewport", ["desktop", "phone"])
def test_it_draws_every_operation_and_breaks_no_rule(
    browser: BrowserThread, live_server, viewport: Viewport
):
    def look(page: Page) -> list[str]:
        heard = listen(page)
        page.goto("/api/docs/")
        expect(page.locator(_SIGN_IN)).to_be_visible(timeout=20_000)
        page.locator(f"{_SIGN_IN} button.opblock-summary-control").click()
        expect(page.locator(_SIGN_IN)).to_contain_text("second_factor_required")
        wider_than_the_window = page.evaluate(
            "document.documentElement.scrollWidth > window.innerWidth"
        )
        violations = page.evaluate("window.policyViolations ?? []")
        return [*heard, *violations, *(["too wide"] if wider_than_the_window else [])]

    problems = browser.visit(look, base_url=live_server.url, look=Look(viewport=viewport))

    assert problems == []
