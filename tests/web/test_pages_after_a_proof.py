"""Pages that show only after a proof: the key and codes of a second factor, a new token, a code at sign-in."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from tests.accounts.visits import confirm_it_is_me, sign_in, signed_in
from tests.factories.accounts import give_second_factor, make_person
from tests.web.browsing import BrowserThread, Look, check_page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[], Client]


def proven(person: User | None = None) -> Client:
    """A person who has just entered their password once more."""
    browser = signed_in(person or make_person())
    confirm_it_is_me(browser)
    return browser


def proven_with_factor() -> Client:
    """The same, with a second factor."""
    person = make_person()
    browser = proven(person)
    give_second_factor(person)
    return browser


def half_signed_in() -> Client:
    """A person whose password was right, and who is asked for a code."""
    give_second_factor(make_person())
    browser = Client()
    sign_in(browser)
    return browser


@pytest.mark.parametrize(
    ("name", "visit", "path"),
    [
        ("second-factor-activate", proven, "/accounts/2fa/totp/activate/"),
        ("second-factor-deactivate", proven_with_factor, "/accounts/2fa/totp/deactivate/"),
        ("recovery-codes", proven_with_factor, "/accounts/2fa/recovery-codes/"),
        ("recovery-codes-generate", proven_with_factor, "/accounts/2fa/recovery-codes/generate/"),
        ("second-factor-code", half_signed_in, "/accounts/2fa/authenticate/"),
    ],
)
def test_a_page_after_a_proof_is_sound(
    browser: BrowserThread, live_server, name: str, visit: Visit, path: str
):
    cache.clear()
    visitor = visit()

    check_page(
        browser,
        path,
        base_url=live_server.url,
        cookies={"sessionid": visitor.cookies["sessionid"].value},
        name=name,
    )


def test_the_menu_keeps_the_colors_in_the_profile(browser: BrowserThread, live_server):
    person = make_person()
    visitor = signed_in(person)

    def choose_dark(page):
        page.goto("/account/")
        page.get_by_label("Your account:").click()
        with page.expect_response("**/account/theme/") as answer:
            page.get_by_title("Dark").click()
        return answer.value.status

    status = browser.visit(
        choose_dark,
        base_url=live_server.url,
        look=Look(cookies={"sessionid": visitor.cookies["sessionid"].value}),
    )

    person.refresh_from_db()
    assert (status, person.theme) == (204, "DARK")
