"""What a person does with the pieces that every page has."""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.services import people
from foundation.audit import Actor
from tests.factories.accounts import PASSWORD, make_person
from tests.web.browsing import (
    BrowserThread,
    Look,
    keep_picture,
    listen,
    look_over,
    session_of,
    settle,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_stranger_signs_up_and_in_gets_where_they_wanted_and_signs_out(
    browser: BrowserThread, live_server
):
    def sign_up(page: Page) -> list[str]:
        heard = listen(page)
        page.goto("/accounts/signup/")
        page.get_by_label("E-mail address").fill("grace@example.com")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password, once more").fill(PASSWORD)
        page.get_by_role("button", name="Create the account").click()
        expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
        return heard

    def sign_in_and_out(page: Page) -> list[str]:
        heard = listen(page)
        page.goto("/accounts/password/change/")
        page.get_by_label("E-mail address").fill("Grace@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/accounts/password/change/")
        page.get_by_role("button", name="Your account").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
        return heard

    assert browser.visit(sign_up, base_url=live_server.url, look=Look()) == []
    people.set_verified(
        person_id=User.objects.get(email="grace@example.com").pk,
        is_verified=True,
        by=Actor.system("tests"),
        now=timezone.now(),
    )
    assert browser.visit(sign_in_and_out, base_url=live_server.url, look=Look()) == []


@pytest.mark.parametrize("viewport", ["phone", "desktop"])
def test_the_chosen_colors_apply_at_once_and_stay(browser, live_server, settings, viewport):
    settings.ROOT_URLCONF = "tests.web.showcase"
    cookies = session_of(make_person())

    def journey(page: Page) -> tuple[list[str], list[str]]:
        heard = listen(page)
        page.goto("/showcase/")
        page.get_by_role("button", name="Your account").click()
        page.locator("[data-theme-switch] label", has=page.get_by_label("Dark")).click()
        keep_picture(page, f"menu-dark-{viewport}", full_page=False)
        seen = [page.locator("html").get_attribute("data-theme") or ""]
        problems = look_over(page)
        page.goto("/showcase/empty/")
        seen.append(page.locator("html").get_attribute("data-theme") or "")
        return seen, [*heard, *problems]

    seen, problems = browser.visit(
        journey, base_url=live_server.url, look=Look("light", viewport, cookies)
    )

    assert seen == ["dark", "dark"]
    assert problems == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", ["phone", "desktop"])
def test_an_action_asks_before_it_acts(browser, live_server, settings, theme, viewport):
    settings.ROOT_URLCONF = "tests.web.showcase"
    cookies = session_of(make_person())

    def journey(page: Page) -> tuple[list[str], list[str]]:
        page.goto("/showcase/")
        settle(page)
        asked: list[str] = []
        page.on(
            "request", lambda r: asked.append(f"{r.method} {r.url.removeprefix(live_server.url)}")
        )
        page.get_by_role("button", name="Stop").first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("The open position is closed at the market.")
        problems = look_over(page)
        keep_picture(page, f"dialog-{theme}-{viewport}", full_page=False)
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.get_by_role("button", name="Stop").first.click()
        dialog.get_by_role("button", name="Stop").click()
        page.wait_for_load_state()
        return [entry for entry in asked if entry.startswith("POST")], problems

    posts, problems = browser.visit(
        journey, base_url=live_server.url, look=Look(theme, viewport, cookies)
    )

    assert posts == ["POST /showcase/"]
    assert problems == []


def test_the_numbers_of_a_chart_can_be_read_as_a_table(browser, live_server, settings):
    settings.ROOT_URLCONF = "tests.web.showcase"
    cookies = session_of(make_person())

    def journey(page: Page) -> str:
        page.goto("/showcase/")
        settle(page)
        page.get_by_text("Show the numbers").first.click()
        return page.locator("[data-chart-numbers] tbody tr").nth(51).inner_text()

    row = browser.visit(journey, base_url=live_server.url, look=Look(cookies=cookies))

    assert row.split()[0] == "2026-01-19"
    assert row.rstrip().endswith("SELL Sell")


def test_the_examination_finds_what_is_wrong(browser, live_server):
    def journey(page: Page) -> list[str]:
        page.goto("/accounts/login/")
        page.evaluate(
            """() => {
              document.body.insertAdjacentHTML("beforeend", "<p id='content'>Faint and far too wide</p><button></button><input>");
              const faint = document.body.querySelector("p#content");
              faint.style.color = "oklch(70% 0 0)";
              faint.style.background = "white";
              faint.style.width = "3000px";
              document.body.insertAdjacentHTML("beforeend", "<b style='color: red'>x</b>");
            }"""
        )
        return look_over(page)

    found = browser.visit(journey, base_url=live_server.url, look=Look())

    kinds = {problem.split(":")[0] for problem in found}
    assert kinds == {"policy violation", "overflow", "contrast", "naming"}
    naming = [problem for problem in found if problem.startswith("naming")]
    assert len(naming) == 3
