"""A stranger buys a plan and a strategy, it runs, a friend joins by their link and pays, the stranger is paid.

Everything is done on pages, by three people in three browsers, beside a market that moves; at the end the
books balance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.flows.live import await_entry, connected_account, deployed, fills, script, stop
from tests.flows.stack import PATIENCE_S, Stack, Visitor, eventually, mails_in, register, text_of
from tests.flows.test_browser_journey import (
    do_to_row,
    open_operators_door,
    sign_in,
    submit,
    switch_on_second_factor,
)
from tests.web.browsing import BrowserThread, Look, keep_picture, listen, settle
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

pytestmark = [
    pytest.mark.flow,
    pytest.mark.browser,
    pytest.mark.timeout(600),
]

_PATIENCE_MS: Final = PATIENCE_S * 1_000
_REFERENCE: Final = "TR-2026-0042"
_STRATEGY: Final = "strategy:ema-crossover"
#: Product, interval and amount; a tenth of the dearest is more than the smallest payout.
_PRICES: Final = (
    ("plan:pro", "MONTH", "29"),
    ("plan:desk", "YEAR", "890"),
    (_STRATEGY, "MONTH", "10"),
)


@dataclass
class Operator:
    """Somebody with a second factor, whose recovery codes open the operators' pages one by one."""

    visitor: Visitor
    codes: list[str]


def test_a_stranger_buys_trades_refers_and_is_paid(
    browser: BrowserThread,  # noqa: F811
    stack: Stack,
):
    def look(journey: Callable[..., None], *people: Any) -> None:
        """Go on a journey in a fresh browser, in which nothing may go wrong."""

        def go(page: Page) -> list[str]:
            page.set_default_timeout(_PATIENCE_MS)
            heard = listen(page)
            journey(page, *people)
            return heard

        assert browser.visit(go, base_url=stack.url, look=Look()) == []

    operator = Operator(new_operator(stack), [])
    stranger, friend = register(stack), Visitor(stack, f"{uuid4().hex[:12]}@example.com")
    look(set_prices, operator)
    try:
        look(buy_plan_and_strategy, stranger)
        deployment_id = run_what_was_bought(stranger)
        look(see_it_trade, stranger, deployment_id)

        look(join_and_buy, friend, stranger.get("/referrals/me")["link"])
        commission = eventually(lambda: commissions_of(stranger), what="a commission is earned")[0]
        assert commission["status"] == "PENDING"
        assert Decimal(80) < Decimal(commission["amount"]) <= Decimal(89)
        end_the_time_for_refunds(stack, commission["id"])
        eventually(
            lambda: commissions_of(stranger)[0]["status"] == "PAYABLE", what="the sweep comes by"
        )

        look(ask_for_payout, stranger)
        look(send_payout, operator, stranger)
        eventually(
            lambda: told_reference(stack, stranger), what="the stranger is mailed the reference"
        )
        answer = stranger.get("/referrals/me")
        assert (answer["sign_ups"], answer["conversions"]) == (1, 1)
        assert answer["balances"][0]["paid"] == commission["amount"]
        stop(stranger, deployment_id)
    finally:
        # The other journeys of this platform subscribe for nothing.
        look(end_prices, operator)

    assert "The books balance." in stack.manage("verify_ledger")
    look(see_the_books_balance, operator)


def new_operator(stack: Stack) -> Visitor:
    """Return somebody who runs the installation."""
    operator = Visitor(stack, f"{uuid4().hex[:12]}@example.com")
    stack.manage(
        *("createsuperuser", "--noinput", "--email", operator.email),
        DJANGO_SUPERUSER_PASSWORD=operator.password,
    )
    return operator


def enter(page: Page, operator: Operator, path: str) -> None:
    """Sign an operator in, the first time with a new second factor, and open one of their pages."""
    page.goto("/accounts/login/")
    sign_in(page, operator.visitor)
    if operator.codes:
        expect(page.locator("[name=code]")).to_be_visible()
        page.fill("[name=code]", operator.codes.pop())
        submit(page)
        page.wait_for_url("**/dashboard/")
        page.goto(path)
        return
    page.wait_for_url("**/dashboard/")
    operator.codes = switch_on_second_factor(page, operator.visitor)
    open_operators_door(page, path, code=operator.codes.pop())


def set_prices(page: Page, operator: Operator) -> None:
    """Put a price on two plans and on the strategy."""
    enter(page, operator, "/admin/billing/product/")
    for code, interval, amount in _PRICES:
        set_price(page, code, interval, amount)


def end_prices(page: Page, operator: Operator) -> None:
    """End all prices: an empty amount."""
    enter(page, operator, "/admin/billing/product/")
    for code, interval, _ in _PRICES:
        set_price(page, code, interval, "")


def set_price(page: Page, code: str, interval: str, amount: str) -> None:
    """Open a product, and set its price."""
    page.goto(f"/admin/billing/product/?q={code}")
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name="Set the price", exact=True).first.click()
    page.fill("[name=amount]", amount)
    page.select_option("[name=interval]", interval)
    page.locator(".deed-form button[type=submit]").click()
    expect(page.locator("body")).to_contain_text("priced")


def buy_plan_and_strategy(page: Page, stranger: Visitor) -> None:
    """Buy a month of a plan, and a month of a strategy on its own page."""
    page.goto("/accounts/login/")
    sign_in(page, stranger)
    page.wait_for_url("**/dashboard/")
    page.goto("/billing/plans/")
    page.locator("section.plan", has_text="Pro").get_by_role("link", name="Buy a month").click()
    pay(page, "Pro is yours until")
    page.goto("/strategies/ema-crossover/")
    page.get_by_role("link", name="Buy a month").click()
    pay(page, "EMA crossover is yours until")
    keep_picture(page, "journey-money-bought")
    page.goto("/billing/usage/")
    expect(page.locator("main")).to_contain_text("Pro plan")
    expect(page.locator("main")).to_contain_text("EMA crossover")


def pay(page: Page, words: str) -> None:
    """Order what is on the page, pay at the bank, and wait until the platform has heard of it."""
    page.get_by_role("button", name="Order and pay").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("main")).to_contain_text(words, timeout=_PATIENCE_MS)


def run_what_was_bought(stranger: Visitor) -> str:
    """Deploy the strategy on the simulator, and wait until it has entered."""
    limits = {limit["limit"]: limit for limit in stranger.get("/usage")["limits"]}
    assert limits["live_deployments"]["allowed"] == 5
    account_id = connected_account(stranger)
    swings = [(8 * number, 60_000 * (1.01 if number % 2 else 0.995)) for number in range(90)]
    script(stranger.stack, "BTC/USDT", *swings)
    deployment_id = deployed(stranger, account_id, symbol="BTC/USDT")
    await_entry(stranger, deployment_id)
    assert fills(stranger, deployment_id)
    return deployment_id


def see_it_trade(page: Page, stranger: Visitor, deployment_id: str) -> None:
    """Look at the deployment: the right to it holds, and it has bought."""
    page.goto("/accounts/login/")
    sign_in(page, stranger)
    page.wait_for_url("**/dashboard/")
    page.goto(f"/deployments/{deployment_id}/")
    expect(page.locator("main")).to_contain_text("Running")
    expect(page.locator("main")).to_contain_text("Active until")
    expect(page.locator("main")).to_contain_text("BUY", ignore_case=True)
    # Whoever leaves a page while it loads breaks off its requests, which counts as an error here.
    settle(page)
    page.wait_for_load_state("networkidle")
    keep_picture(page, "journey-money-trading")


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
    pay(page, "Desk is yours until")


def ask_for_payout(page: Page, stranger: Visitor) -> None:
    """Ask for all that is payable, which takes the password once more."""
    page.goto("/accounts/login/")
    sign_in(page, stranger)
    page.wait_for_url("**/dashboard/")
    page.goto("/referrals/")
    page.fill("[name=destination]", "DE89 3704 0044 0532 0130 00")
    page.get_by_role("button", name="Ask for all that is payable").click()
    if "/accounts/reauthenticate/" in page.url:
        page.fill("[name=password]", stranger.password)
        submit(page)
    expect(page.locator("main")).to_contain_text("You asked for")


def send_payout(page: Page, operator: Operator, stranger: Visitor) -> None:
    """Find the payout of a person, and mark it as sent."""
    enter(page, operator, f"/admin/referrals/payout/?q={stranger.email}")
    do_to_row(
        page,
        f"/admin/referrals/payout/?q={stranger.email}",
        "Mark as sent",
        reference=_REFERENCE,
    )
    expect(page.locator("body")).to_contain_text("marked as sent")


def see_the_books_balance(page: Page, operator: Operator) -> None:
    """Look at the trial balance: debits less credits are nothing, and the last comparison found nothing."""
    enter(page, operator, "/admin/billing/ledgeraccount/")
    page.get_by_role("link", name="Trial balance").click()
    expect(page.locator("body")).to_contain_text("The books balance in every currency.")
    expect(page.locator("body")).to_contain_text("in order.")
    difference = page.locator("tfoot tr", has_text="USD").locator("td").inner_text()
    assert Decimal(difference.split()[0]) == 0
    keep_picture(page, "journey-money-trial-balance")


def commissions_of(stranger: Visitor) -> list[dict[str, str]]:
    """Return the commissions of a person, the newest first."""
    return list(stranger.get("/referrals/commissions")["results"])


def end_the_time_for_refunds(stack: Stack, commission_id: str) -> None:
    """Let the month pass in which a payment may be refunded."""
    with psycopg.connect(stack.application.environment["DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE referrals_commission SET payable_from = now() WHERE public_id = %s",
            [commission_id],
        )


def told_reference(stack: Stack, stranger: Visitor) -> bool:
    """Tell whether the person was mailed the reference of the transfer."""
    mails = [mail for mail in mails_in(stack.folder / "mail") if mail["To"] == stranger.email]
    return any(_REFERENCE in text_of(mail) for mail in mails)
