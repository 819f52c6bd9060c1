"""The page of kept mails, and how each mail looks, in a real browser."""

from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import Page

from accounts.adapters import mail_folder
from accounts.models import MailKind
from tests.accounts.mailing import make_mail, send
from tests.factories.accounts import make_person
from tests.web.browsing import (
    VIEWPORTS,
    BrowserThread,
    Look,
    Theme,
    check_page,
    keep_picture,
    listening,
    settle,
    stand_at,
    wear,
)
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _mails(tmp_path: Path, settings) -> None:
    """Have one mail of every kind in the folder."""
    settings.EMAIL_BACKEND = "accounts.adapters.mail_folder.FolderBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    ada = make_person(is_verified=False, display_name="Ada Lovelace")
    for kind in MailKind:
        assert send(make_mail(ada, kind)).sent_at is not None


def test_the_list_is_sound(browser: BrowserThread, live_server):  # noqa: F811
    check_page(browser, "/dev/mail/", base_url=live_server.url, cookies={}, name="mails")


def test_a_mail_is_sound_and_shows_its_html(browser: BrowserThread, live_server):  # noqa: F811
    mail = next(mail for mail in mail_folder.kept_mails() if "key" in mail.subject.lower())
    address = f"/dev/mail/{mail.name}/"
    check_page(browser, address, base_url=live_server.url, cookies={}, name="mail")

    def heading(page: Page) -> str:
        page.goto(address)
        return page.frame_locator("iframe").locator("h1").inner_text()

    assert browser.visit(heading, base_url=live_server.url, look=Look()) == "Title of key_invalid"


def test_no_mail_is_wider_than_its_reader(browser: BrowserThread, live_server):  # noqa: F811
    def too_wide(page: Page) -> list[str]:
        with listening(page) as problems:
            for mail in mail_folder.kept_mails():
                page.goto(f"/dev/mail/{mail.name}/html/")
                settle(page)
                for theme, viewport in product(get_args(Theme), VIEWPORTS):
                    wear(page, theme)
                    stand_at(page, viewport)
                    keep_picture(page, f"mail-{mail.subject[:20]}-{theme}-{viewport}")
                    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                        problems.append(f"{mail.subject}, {theme}, {viewport}")
        return problems

    assert browser.visit_again(too_wide, base_url=live_server.url, cookies={}) == []
