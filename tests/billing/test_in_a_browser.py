"""Buying in a real browser: from the plans through the bank and back, with what a worker does meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Page

from billing.models import DevelopmentNotice, Payment, ProviderEvent
from billing.services import checkout, development, provider_events
from tests.billing.buying import make_price
from tests.factories.accounts import make_person
from tests.web.browsing import BrowserThread, Look, listen, session_of
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@contextmanager
def a_worker() -> Iterator[None]:
    """Do what the workers do, a moment later, until the block ends."""
    over = Event()

    def work() -> None:
        while not over.wait(0.2):
            now = timezone.now()
            for payment in Payment.objects.filter(state="CREATED"):
                checkout.open_checkout(payment_id=payment.pk, now=now)
            for notice in DevelopmentNotice.objects.filter(delivered_at=None):
                development.deliver(notice_id=notice.pk, now=now)
            for event in ProviderEvent.objects.filter(state="NEW"):
                provider_events.process(event_id=event.pk, now=now)
        connection.close()

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_plan_is_bought_in_five_clicks(browser: BrowserThread, live_server):  # noqa: F811  a fixture
    person = make_person()
    make_price(amount="29")

    def buy(page: Page) -> tuple[list[str], str]:
        problems = listen(page)
        page.goto("/billing/plans/")
        page.get_by_role("link", name="Buy a month").click()
        page.get_by_role("button", name="Order and pay").click()
        # The page goes on to the bank by itself as soon as a worker has asked it.
        page.get_by_role("heading", name="Development bank").wait_for()
        page.get_by_role("button", name="Pay", exact=True).click()
        page.get_by_text("is yours until").wait_for()
        page.get_by_role("link", name="Receipt").click()
        page.get_by_role("button", name="Print").wait_for()
        violations = page.evaluate("window.policyViolations")
        return problems + violations, page.get_by_role("article").inner_text()

    with a_worker():
        problems, receipt = browser.visit(
            buy, base_url=live_server.url, look=Look(cookies=session_of(person))
        )

    assert problems == []
    assert Payment.objects.get().receipt_number in receipt
    assert "29.00" in receipt


def test_who_comes_back_too_early_sees_the_page_move(browser: BrowserThread, live_server):  # noqa: F811  a fixture
    person, price = make_person(), make_price()

    def wait(page: Page) -> str:
        page.goto(f"/billing/checkout/?price={price.public_id}")
        page.get_by_role("button", name="Order and pay").click()
        page.get_by_role("button", name="Pay, confirmed later").click()
        page.get_by_text("We wait for").wait_for()
        development_moves_on.set()
        page.get_by_text("is yours until").wait_for()
        return page.url

    development_moves_on = Event()

    def confirm() -> None:
        development_moves_on.wait(20)
        time.sleep(0.5)
        development.move_on(now=timezone.now() + timedelta(minutes=1))
        connection.close()

    later = Thread(target=confirm)
    later.start()
    with a_worker():
        url = browser.visit(wait, base_url=live_server.url, look=Look(cookies=session_of(person)))
    later.join()

    assert Payment.objects.get().state == "SETTLED"
    assert "/billing/payments/" in url
