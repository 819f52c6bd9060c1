"""A stranger becomes a trader in a real browser: from the first page to a strategy that trades and stops."""

import time
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.flows.live import PARAMETERS, script
from tests.flows.stack import PATIENCE_S, Stack, Visitor
from tests.web.browsing import BrowserThread, Look, listen
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

# All journeys on one worker, where they share one running platform.
pytestmark = [
    pytest.mark.flow,
    pytest.mark.browser,
    pytest.mark.xdist_group("journeys"),
    pytest.mark.timeout(400),
]

_TOTP_PERIOD_S = 30
_PATIENCE_MS = PATIENCE_S * 1_000


def test_a_stranger_becomes_a_trader(browser: BrowserThread, stack: Stack):  # noqa: F811
    person = Visitor(stack, f"{uuid4().hex[:12]}@example.com")
    script(stack, "BNB/USDT", *[(8 * n, 300 * (1.01 if n % 2 else 0.995)) for n in range(60)])

    def journey(page: Page) -> list[str]:
        heard = listen(page)
        sign_up(page, person)
        codes = switch_on_second_factor(page, person)
        sign_in_with_recovery_code(page, person, code=codes[0])
        read_backtest(page)
        connect_simulator(page, person)
        trade_and_stop(page)
        return heard

    assert browser.visit(journey, base_url=stack.url, look=Look()) == []


def submit(page: Page) -> None:
    """Press the main button of the page's form."""
    page.locator("main form button[type=submit][data-variant=primary]").first.click()


def sign_up(page: Page, person: Visitor) -> None:
    """Register, follow the mailed link and sign in."""
    page.goto("/")
    page.get_by_role("link", name="Create an account").first.click()
    page.fill("[name=email]", person.email)
    page.fill("[name=password1]", person.password)
    page.fill("[name=password2]", person.password)
    submit(page)
    expect(page.locator("main")).to_contain_text("mail")
    page.goto(person.stack.link_mailed_to(person.email, "/accounts/confirm-email/"))
    submit(page)
    page.goto("/accounts/login/")
    sign_in(page, person)
    page.wait_for_url("**/dashboard/")


def sign_in(page: Page, person: Visitor) -> None:
    """Fill in address and password."""
    page.fill("[name=login]", person.email)
    page.fill("[name=password]", person.password)
    submit(page)


def switch_on_second_factor(page: Page, person: Visitor) -> list[str]:
    """Set up an authenticator; return the recovery codes."""
    page.goto("/account/security/")
    page.get_by_role("link", name="Set it up").click()
    page.get_by_role("link", name="Set it up").or_(
        page.get_by_role("link", name="Activate")
    ).first.click()
    if page.locator("[name=password]").count():
        page.fill("[name=password]", person.password)
        submit(page)
    seed = page.locator("#seed").inner_text()
    counter = int(time.time()) // _TOTP_PERIOD_S
    page.fill("[name=code]", format_hotp_value(hotp_value(seed, counter)))
    submit(page)
    expect(page.locator("ul.codes li")).to_have_count(10)
    return page.locator("ul.codes li").all_inner_texts()


def sign_in_with_recovery_code(page: Page, person: Visitor, *, code: str) -> None:
    """Sign out, and in again, for which the password alone is not enough any more."""
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/accounts/login/")
    sign_in(page, person)
    expect(page.locator("[name=code]")).to_be_visible()
    page.goto("/dashboard/")
    expect(page.get_by_role("heading", name="Dashboard")).to_have_count(0)
    page.goto(reverse("mfa_authenticate"))
    page.fill("[name=code]", code)
    submit(page)
    page.wait_for_url("**/dashboard/")


def read_backtest(page: Page) -> None:
    """Run a backtest as it is proposed, and wait for its result."""
    page.goto("/backtests/new/?strategy=ema-crossover")
    page.get_by_role("button", name="Run").last.click()
    expect(page.get_by_role("heading", name="Trades").first).to_be_visible(timeout=_PATIENCE_MS)


def connect_simulator(page: Page, person: Visitor) -> None:
    """Enter the key of an account at the simulator, and wait until a worker has tested it."""
    key, secret = person.stack.open_simulator_account(USDT="100000")
    page.goto("/exchange-accounts/connect/")
    page.select_option("[name=venue]", "simulator")
    page.fill("[name=label]", "My simulator")
    page.fill("[name=api_key]", key)
    page.fill("[name=secret]", secret)
    submit(page)
    expect(page.get_by_text("Connected").first).to_be_visible(timeout=_PATIENCE_MS)


def trade_and_stop(page: Page) -> None:
    """Subscribe, deploy on one-second bars, see a fill, and stop."""
    page.goto("/strategies/ema-crossover/")
    page.get_by_role("button", name="Subscribe").first.click()
    page.goto("/deployments/new/?strategy=ema-crossover")
    page.fill("[name=name]", "First steps")
    page.select_option(
        "[name=account]",
        label=page.locator("[name=account] option", has_text="My simulator").first.inner_text(),
    )
    page.fill("[name=symbol]", "BNB/USDT")
    page.select_option("[name=timeframe]", "1s")
    for name, value in PARAMETERS.items():
        page.locator(f"[name$={name}]").first.fill(str(value))
    page.fill("[name=capital]", "10000")
    if page.locator("[name=accepts_risk]").count():
        page.check("[name=accepts_risk]")
    page.get_by_role("button", name="Deploy").last.click()
    page.wait_for_url("**/deployments/*-*/")
    expect(page.locator("main")).to_contain_text("BUY", timeout=_PATIENCE_MS, ignore_case=True)
    page.get_by_role("button", name="Stop").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped").first).to_be_visible(timeout=_PATIENCE_MS)
