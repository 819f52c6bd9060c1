"""A friend joins by a link and pays, a commission is earned and paid out, and the books balance."""

from decimal import Decimal
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.flows.stack import PATIENCE_S, Stack, Visitor, eventually, mails_in, register, text_of
from tests.flows.test_browser_journey import (
    open_operators_door,
    sign_in,
    submit,
    switch_on_second_factor,
)
from tests.web.browsing import BrowserThread, Look, listen
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

pytestmark = [
    pytest.mark.flow,
    pytest.mark.browser,
    pytest.mark.timeout(400),
]

_PATIENCE_MS: Final = PATIENCE_S * 1_000
_REFERENCE: Final = "TR-2026-0042"
#: An operator puts a price on a plan; a tenth of it is more than the smallest payout.
_SET_PRICE: Final = """
from decimal import Decimal
from django.utils import timezone
from billing.services import products
from foundation.audit import Actor
products.set_price(product_code="plan:desk", interval="YEAR", amount=Decimal(890),
                   by=Actor.system("tests"), now=timezone.now())
"""


def test_a_friend_pays_and_the_referrer_is_paid(browser: BrowserThread, stack: Stack):  # noqa: F811
    stack.manage("shell", "-c", _SET_PRICE)
    referrer = register(stack)
    eventually(lambda: referrer.get("/referrals/me")["link"], what="the referrer has a link")
    friend = Visitor(stack, f"{uuid4().hex[:12]}@example.com")
    operator = Visitor(stack, f"{uuid4().hex[:12]}@example.com")
    stack.manage(
        *("createsuperuser", "--noinput", "--email", operator.email),
        DJANGO_SUPERUSER_PASSWORD=operator.password,
    )

    def look(journey, *people):
        """Go on a journey in a fresh browser, in which nothing may go wrong."""

        def go(page: Page) -> list[str]:
            page.set_default_timeout(_PATIENCE_MS)
            heard = listen(page)
            journey(page, *people)
            return heard

        assert browser.visit(go, base_url=stack.url, look=Look()) == []

    look(join_and_buy, friend, referrer.get("/referrals/me")["link"])
    commission = eventually(lambda: commissions_of(referrer), what="a commission is earned")[0]
    assert commission["status"] == "PENDING"
    assert Decimal(80) < Decimal(commission["amount"]) <= Decimal(89)

    end_the_time_for_refunds(stack, commission["id"])
    eventually(
        lambda: commissions_of(referrer)[0]["status"] == "PAYABLE", what="the sweep comes by"
    )
    look(ask_for_payout, referrer)
    look(send_payout, operator, referrer)

    eventually(lambda: told_reference(stack, referrer), what="the referrer is mailed the reference")
    answer = referrer.get("/referrals/me")
    assert (answer["sign_ups"], answer["conversions"]) == (1, 1)
    assert answer["balances"][0]["paid"] == commission["amount"]
    assert "The books balance." in stack.manage("verify_ledger")


def join_and_buy(page: Page, friend: Visitor, link: str) -> None:
    """Follow the link of a friend, sign up, and buy a plan for a year."""
    page.goto(link)
    page.wait_for_url("**/accounts/signup/")
    page.fill("[name=email]", friend.email)
    page.fill("[name=password1]", friend.password)
    page.fill("[name=password2]", friend.password)
    submit(page)
    expect(page.locator("main")).to_contain_text("mail")
    page.goto(friend.stack.link_mailed_to(friend.email, "/accounts/confirm-email/"))
    # Whoever leaves a page while it loads breaks off its requests, which counts as an error here.
    with page.expect_navigation():
        submit(page)
    page.goto("/accounts/login/")
    sign_in(page, friend)
    page.wait_for_url("**/dashboard/")
    page.goto("/billing/plans/")
    page.locator("section.plan", has_text="Desk").get_by_role("link", name="Buy a year").click()
    page.get_by_role("button", name="Order and pay").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("main")).to_contain_text("Desk is yours", timeout=_PATIENCE_MS)


def ask_for_payout(page: Page, referrer: Visitor) -> None:
    """Ask for all that is payable, which takes the password once more."""
    page.goto("/accounts/login/")
    sign_in(page, referrer)
    page.wait_for_url("**/dashboard/")
    page.goto("/referrals/")
    page.fill("[name=destination]", "DE89 3704 0044 0532 0130 00")
    page.get_by_role("button", name="Ask for all that is payable").click()
    if "/accounts/reauthenticate/" in page.url:
        page.fill("[name=password]", referrer.password)
        submit(page)
    expect(page.locator("main")).to_contain_text("You asked for")


def send_payout(page: Page, operator: Visitor, referrer: Visitor) -> None:
    """Find the payout of a person, and mark it as sent."""
    page.goto("/accounts/login/")
    sign_in(page, operator)
    page.wait_for_url("**/dashboard/")
    codes = switch_on_second_factor(page, operator)
    open_operators_door(page, f"/admin/referrals/payout/?q={referrer.email}", code=codes[0])
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name="Mark as sent", exact=True).first.click()
    page.fill("[name=reference]", _REFERENCE)
    page.locator(".deed-form button[type=submit]").click()
    expect(page.locator("body")).to_contain_text("marked as sent")


def commissions_of(referrer: Visitor) -> list[dict[str, str]]:
    """Return the commissions of a person, the newest first."""
    return list(referrer.get("/referrals/commissions")["results"])


def end_the_time_for_refunds(stack: Stack, commission_id: str) -> None:
    """Let the month pass in which a payment may be refunded."""
    with psycopg.connect(stack.application.environment["DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE referrals_commission SET payable_from = now() WHERE public_id = %s",
            [commission_id],
        )


def told_reference(stack: Stack, referrer: Visitor) -> bool:
    """Tell whether the person was mailed the reference of the transfer."""
    mails = [mail for mail in mails_in(stack.folder / "mail") if mail["To"] == referrer.email]
    return any(_REFERENCE in text_of(mail) for mail in mails)
