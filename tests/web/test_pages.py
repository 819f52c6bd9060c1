"""Every page, in a real browser: no error, no violation of the policy, nothing cut off, everything legible."""

import pytest

from tests.factories.accounts import make_person
from tests.web.browsing import BrowserThread, check_page, session_of
from tests.web.pages import PageCase, all_pages

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("case", list(all_pages()), ids=lambda case: case.name)
def test_a_page_is_sound(browser: BrowserThread, live_server, settings, case: PageCase):
    settings.ROOT_URLCONF = case.urls
    person = make_person()

    check_page(
        browser,
        case.address(person),
        base_url=live_server.url,
        cookies=session_of(person) if case.signed_in else {},
        name=case.name,
        status=case.status,
    )
