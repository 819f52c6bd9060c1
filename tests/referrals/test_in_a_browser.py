"""The link's button, which scripts bring."""

import pytest
from playwright.sync_api import Page

from tests.factories.referrals import code_of, make_referrer
from tests.web.browsing import BrowserThread, Look, session_of
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_link_is_copied_or_selected(browser: BrowserThread, live_server):  # noqa: F811  a fixture
    person = make_referrer()
    code = code_of(person)

    def copy(page: Page) -> tuple[str, str]:
        page.goto("/referrals/")
        page.get_by_role("button", name="Copy").click()
        page.wait_for_function(
            "() => document.querySelector('[data-copy-words]').textContent !== 'Copy'"
        )
        words = page.locator("[data-copy-words]").text_content() or ""
        return words, page.evaluate("document.getSelection().toString()")

    words, selected = browser.visit(
        copy, base_url=live_server.url, look=Look(cookies=session_of(person))
    )

    assert words in {"Copied", "Selected"}
    assert selected.endswith(f"/r/{code}/")
