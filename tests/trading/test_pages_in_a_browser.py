"""The page of a deployment in a browser: it moves by itself, and asks before it acts."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.factories.accounts import make_person
from tests.trading.rows import make_traded_deployment
from tests.web.browsing import BrowserThread, Look, listen, look_over, session_of
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)
from trading.models import DeploymentCommand, DesiredState

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def owner():
    return make_person()


@pytest.fixture
def deployment(owner):
    return make_traded_deployment(owner).deployment


def test_what_is_asked_in_one_window_appears_in_another(
    browser: BrowserThread,  # noqa: F811  (the fixture)
    live_server,
    owner,
    deployment,
):
    address = reverse("trading:detail", args=[deployment.public_id])

    def journey(watched: Page) -> list[str]:
        heard = listen(watched)
        watched.goto(address)
        acting = watched.context.new_page()
        acting.goto(address)

        acting.get_by_role("button", name="Stop").first.click()
        dialog = acting.get_by_role("dialog")
        expect(dialog).to_contain_text("an open position is closed at the market")
        dialog.get_by_role("button", name="Stop").click()

        expect(acting.get_by_text("being carried out")).to_be_visible()
        expect(watched.get_by_text("being carried out")).to_be_visible()
        expect(watched.get_by_text("Stopping", exact=True)).to_be_visible()
        expect(watched.get_by_role("button", name="Stop")).to_have_count(0)
        return [*heard, *look_over(watched)]

    problems = browser.visit(
        journey, base_url=live_server.url, look=Look(cookies=session_of(owner))
    )

    deployment.refresh_from_db()
    assert problems == []
    assert deployment.desired_state == DesiredState.STOPPED
    assert DeploymentCommand.objects.get().kind == "STOP"


def test_the_steps_of_an_order_stay_open_while_the_page_moves(
    browser: BrowserThread,  # noqa: F811  (the fixture)
    live_server,
    owner,
    deployment,
):
    address = reverse("trading:detail", args=[deployment.public_id])

    def journey(page: Page) -> None:
        page.goto(address)
        order = page.locator("#part-orders details").first
        order.locator("summary").click()
        expect(order.get_by_text("submitting")).to_be_visible()
        # What htmx does when the orders have changed.
        page.evaluate(
            """() => {
              const since = "stale";
              htmx.ajax("GET", document.querySelector("#poller").getAttribute("hx-get").replace(/since=.*/, `since=${since}`),
                        { target: "#poller", swap: "outerHTML" });
            }"""
        )
        page.wait_for_load_state("networkidle")
        expect(page.locator("#part-orders details").first.get_by_text("submitting")).to_be_visible()

    browser.visit(journey, base_url=live_server.url, look=Look(cookies=session_of(owner)))


def test_a_form_with_an_error_keeps_its_entries_and_deploys_in_the_end(
    browser: BrowserThread,  # noqa: F811  (the fixture)
    live_server,
    owner,
    deployment,
):
    def journey(page: Page) -> tuple[str, list[str]]:
        page.goto(f"{reverse('trading:new')}?strategy=ema-crossover")
        page.get_by_label("Name", exact=True).fill("By hand")
        page.get_by_label("Capital", exact=True).fill("-1")
        page.get_by_role("button", name="Deploy").click()
        expect(page.get_by_text("must be more than 0")).to_be_visible()
        kept = page.get_by_label("Name", exact=True).input_value()
        page.get_by_label("Capital", exact=True).fill("1000")
        page.get_by_role("button", name="Deploy").click()
        page.wait_for_url("**/deployments/*-*/")
        return kept, page.locator("h1").all_inner_texts()

    kept, titles = browser.visit(
        journey, base_url=live_server.url, look=Look(cookies=session_of(owner))
    )

    assert kept == "By hand"
    assert titles == ["By hand"]
