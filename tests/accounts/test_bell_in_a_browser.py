"""The bell of a page that stays open, in a real browser."""

import pytest
from playwright.sync_api import Page

from tests.factories.accounts import make_person
from tests.factories.notifications import make_notification
from tests.web.browsing import BrowserThread, Look, session_of
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: What the bell does by itself twice a minute.
_ASK = "htmx.ajax('GET', '/notifications/bell/?unread=1', {target: '#bell', swap: 'outerHTML'})"


def bell_after(act, browser: BrowserThread, base_url: str) -> str:  # noqa: F811
    """Return what the bell of an open page says after *act* and its next question; one was unread before."""
    person = make_person()
    make_notification(person)

    def journey(page: Page) -> str:
        page.goto("/notifications/")
        assert page.locator("#bell").get_attribute("aria-label") == "Notifications, 1 unread"
        act(page)
        page.evaluate(_ASK)
        page.wait_for_load_state("networkidle")
        return str(page.locator("#bell").get_attribute("aria-label"))

    return browser.visit(journey, base_url=base_url, look=Look(cookies=session_of(person)))


def test_it_counts_what_is_read_elsewhere_meanwhile(browser: BrowserThread, live_server):  # noqa: F811
    def read_in_another_tab(page: Page) -> None:
        other = page.context.new_page()
        other.goto("/notifications/")
        other.get_by_role("button", name="Mark all as read").click()
        other.wait_for_load_state()
        other.close()

    assert bell_after(read_in_another_tab, browser, live_server.url) == "Notifications"


def test_it_stays_as_it_is_when_the_session_has_ended(browser: BrowserThread, live_server):  # noqa: F811
    def sign_out_elsewhere(page: Page) -> None:
        page.context.clear_cookies()

    assert bell_after(sign_out_elsewhere, browser, live_server.url) == "Notifications, 1 unread"
