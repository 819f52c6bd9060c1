"""A stranger becomes a trader in a real browser: from the first page to a strategy that trades and stops."""

import re
import time
from uuid import uuid4

import psycopg
import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.flows.live import PARAMETERS, connected_account, deployed, script
from tests.flows.stack import PATIENCE_S, Stack, Visitor, eventually, register, subscribe
from tests.web.browsing import BrowserThread, Look, listen
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

pytestmark = [
    pytest.mark.flow,
    pytest.mark.browser,
    pytest.mark.timeout(400),
]

_TOTP_PERIOD_S = 30
_PATIENCE_MS = PATIENCE_S * 1_000


def test_a_stranger_becomes_a_trader(browser: BrowserThread, stack: Stack):  # noqa: F811
    person = Visitor(stack, f"{uuid4().hex[:12]}@example.com")
    script(stack, "BNB/USDT", *[(8 * n, 300 * (1.01 if n % 2 else 0.995)) for n in range(60)])

    def journey(page: Page) -> list[str]:
        page.set_default_timeout(_PATIENCE_MS)
        heard = listen(page)
        sign_up(page, person)
        codes = switch_on_second_factor(page, person)
        sign_in_with_recovery_code(page, person, code=codes[0])
        read_backtest(page)
        connect_simulator(page, person)
        trade_and_stop(page)
        return heard

    assert browser.visit(journey, base_url=stack.url, look=Look()) == []


def test_an_operator_grants_force_stops_and_deactivates(
    browser: BrowserThread,  # noqa: F811
    stack: Stack,
):
    operator = Visitor(stack, f"{uuid4().hex[:12]}@example.com")
    stack.manage(
        *("createsuperuser", "--noinput", "--email", operator.email),
        DJANGO_SUPERUSER_PASSWORD=operator.password,
    )
    person = register(stack)
    subscribe(person)
    account_id = connected_account(person)
    script(stack, "BTC/USDT", *[(8 * n, 60_000 * (1.01 if n % 2 else 0.995)) for n in range(60)])
    stopped = deployed(person, account_id, symbol="BTC/USDT")
    left = deployed(person, account_id, symbol="ETH/USDT")

    def journey(page: Page) -> list[str]:
        page.set_default_timeout(_PATIENCE_MS)
        heard = listen(page)
        page.goto("/accounts/login/")
        sign_in(page, operator)
        page.wait_for_url("**/dashboard/")
        page.goto("/admin/")
        expect(page.locator("#site-name, #header")).to_have_count(0)
        codes = switch_on_second_factor(page, operator)
        open_operators_door(page, "/admin/", code=codes[0])
        grant_plan(page, person)
        expect_plan(person, "Pro")
        do_to_row(
            page, f"/admin/trading/deployment/?q={stopped}", "Force stop", note="Asked by mail"
        )
        await_state(person, stopped)
        do_to_row(page, f"/admin/accounts/user/?q={person.email}", "Deactivate")
        return heard

    assert browser.visit(journey, base_url=stack.url, look=Look()) == []
    assert person.session.get(f"{stack.url}/api/v1/backtests", timeout=20).status_code == 401
    eventually(lambda: actual_state(stack, left) == "STOPPED", what="what traded for them stops")


def open_operators_door(page: Page, path: str, *, code: str) -> None:
    """Go to a page of the operators, which asks for the second factor once more."""
    page.goto(path)
    page.wait_for_url("**/2fa/reauthenticate/**")
    page.fill("[name=code]", code)
    submit(page)
    expect(page).to_have_url(re.compile(re.escape(path)))


def grant_plan(page: Page, person: Visitor) -> None:
    """Give a person a month of a plan, as an operator."""
    page.goto("/admin/billing/subscription/")
    page.locator(".deed-buttons a", has_text="Grant").click()
    page.fill("[name=email]", person.email)
    page.select_option("[name=product]", "plan:pro")
    page.fill("[name=months]", "1")
    page.fill("[name=note]", "A month to try it")
    page.locator(".deed-form button[type=submit]").click()
    page.wait_for_url("**/admin/billing/subscription/**")


def expect_plan(person: Visitor, name: str) -> None:
    """See that the person has the plan."""
    assert person.get("/usage")["plan"]["name"] == name


def do_to_row(page: Page, found: str, deed: str, **fields: str) -> None:
    """Open the one row that a search finds, and do something to it."""
    page.goto(found)
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name=deed, exact=True).first.click()
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)
    page.locator(".deed-form button[type=submit]").click()
    expect(page.locator(".deed-form")).to_have_count(0)


def await_state(person: Visitor, deployment_id: str, state: str = "STOPPED") -> None:
    """Wait until a deployment is in a state."""
    eventually(
        lambda: person.get(f"/deployments/{deployment_id}")["actual_state"] == state,
        what=f"the deployment is {state.lower()}",
    )


def actual_state(stack: Stack, deployment_id: str) -> str:
    """Return the state of a deployment whose owner cannot ask any more."""
    with psycopg.connect(stack.application.environment["DATABASE_URL"]) as connection:
        row = connection.execute(
            "SELECT actual_state FROM trading_deployment WHERE public_id = %s", [deployment_id]
        ).fetchone()
    assert row is not None
    return str(row[0])


def submit(page: Page) -> None:
    """Press the main button of the page's form, and wait for the page that answers."""
    with page.expect_navigation():
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
    page.wait_for_url("**/accounts/2fa/")
    page.get_by_role("link", name="Set it up").click()
    page.wait_for_url("**/accounts/reauthenticate/**")
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
    # Its charts still load what they draw.
    page.wait_for_load_state("networkidle")


def connect_simulator(page: Page, person: Visitor) -> None:
    """Enter the key of an account at the simulator, and wait until a worker has tested it."""
    key, secret = person.stack.open_simulator_account(USDT="100000")
    page.goto("/exchange-accounts/connect/")
    page.get_by_role("link", name="Connect Simulator").first.click()
    page.fill("[name=label]", "My simulator")
    page.fill("[name=api_key]", key)
    page.fill("[name=secret]", secret)
    submit(page)
    expect(page.get_by_text("Active", exact=True).first).to_be_visible(timeout=_PATIENCE_MS)


def trade_and_stop(page: Page) -> None:
    """Subscribe, deploy on one-second bars, see a fill, and stop."""
    page.goto("/strategies/ema-crossover/")
    page.get_by_role("button", name="Subscribe").first.click()
    page.goto("/deployments/new/?strategy=ema-crossover")
    page.fill("[name=name]", "First steps")
    page.select_option("[name=market]", "simulator:BNB/USDT")
    page.select_option("[name=timeframe]", "1s")
    for name, value in PARAMETERS.items():
        page.fill(f"[name$={name}]", str(value))
    page.fill("[name=capital]", "10000")
    page.get_by_role("button", name="Deploy").last.click()
    page.wait_for_url("**/deployments/*-*/")
    expect(page.locator("main")).to_contain_text("BUY", timeout=_PATIENCE_MS, ignore_case=True)
    page.get_by_role("button", name="Stop").first.click()
    page.locator("[popover]:popover-open button[type=submit]").click()
    expect(page.get_by_text("Stopped").first).to_be_visible(timeout=_PATIENCE_MS)
