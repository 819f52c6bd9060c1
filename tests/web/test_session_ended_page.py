"""The page that keeps what was typed when a session has ended."""

import pytest
from playwright.sync_api import Page

from tests.web.browsing import BrowserThread, Look, Theme, Viewport, keep_picture, look_over

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: A form of a stranger, sent where only a signed-in person may send one.
_SEND_A_PROFILE = """(text) => {
  const form = document.querySelector("form");
  form.action = "/account/";
  form.noValidate = true;
  const field = form.querySelector("[name=login]");
  field.name = "display_name";
  field.value = text;
  form.submit();
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", ["phone", "desktop"])
def test_it_shows_what_was_typed_and_is_sound(
    browser: BrowserThread, live_server, theme: Theme, viewport: Viewport
):
    typed = f"Ada Lovelace {'w' * 90}"

    def send(page: Page) -> tuple[str, list[str]]:
        page.goto("/accounts/login/")
        page.evaluate(_SEND_A_PROFILE, typed)
        page.wait_for_url("**/account/")
        keep_picture(page, f"session-ended-{theme}-{viewport}")
        return page.inner_text("main"), look_over(page)

    text, problems = browser.visit(send, base_url=live_server.url, look=Look(theme, viewport))

    assert "Your session ended" in text
    assert typed in text
    assert problems == []
