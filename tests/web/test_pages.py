"""Every page, in a real browser: no error, no violation of the policy, nothing cut off, everything legible."""

from typing import get_args

import pytest

from tests.factories.accounts import make_person
from tests.web.browsing import BrowserThread, Look, Theme, Viewport, check_page, session_of
from tests.web.pages import PageCase, all_pages

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("viewport", get_args(Viewport))
@pytest.mark.parametrize("theme", get_args(Theme))
@pytest.mark.parametrize("case", list(all_pages()), ids=lambda case: case.name)
def test_a_page_is_sound(
    browser: BrowserThread,
    live_server,
    settings,
    case: PageCase,
    theme: Theme,
    viewport: Viewport,
):
    settings.ROOT_URLCONF = case.urls
    person = make_person()
    look = Look(theme, viewport, session_of(person) if case.signed_in else {})

    check_page(
        browser,
        case.address(person),
        base_url=live_server.url,
        look=look,
        name=case.name,
        status=case.status,
    )
