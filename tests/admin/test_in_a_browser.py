"""The operators' pages in a real browser: no error, nothing cut off, in both themes and on both sizes of screen."""

from typing import get_args

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from accounts.models import User
from billing.models import Payment
from referrals.models import Payout
from strategies.models import Strategy
from tests.admin.rows import make_rows
from tests.factories.accounts import sign_in_operator
from tests.web.browsing import (
    VIEWPORTS,
    BrowserThread,
    Look,
    Theme,
    keep_picture,
    listen,
    settle,
)
from tests.web.conftest import browser  # noqa: F401  (the one browser of all tests)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def pages() -> dict[str, str]:
    """Return the addresses to look at, by the name of their picture."""
    person = User.objects.get(email="mallory@example.com")
    strategy = Strategy.objects.get(slug="ema-crossover")
    deed = reverse("admin:strategies_strategy_deed", args=["edit"])
    payment = Payment.objects.get()
    price = reverse("admin:billing_product_deed", args=["price"])
    payout = Payout.objects.filter(status="REQUESTED").first() or Payout.objects.get()
    return {
        "trial-balance": reverse("admin:billing_trial_balance"),
        "ledger-accounts": reverse("admin:billing_ledgeraccount_changelist"),
        "ledger-entries": reverse("admin:billing_ledgerentry_changelist"),
        "payments": reverse("admin:billing_payment_changelist"),
        "payment": reverse("admin:billing_payment_change", args=[payment.pk]),
        "disputes": reverse("admin:billing_dispute_changelist"),
        "provider-events": reverse("admin:billing_providerevent_changelist"),
        "products": reverse("admin:billing_product_changelist"),
        "set-price": f"{price}?ids={payment.product_id}",
        "referrers": reverse("admin:referrals_referralcode_changelist"),
        "payouts": reverse("admin:referrals_payout_changelist"),
        "payout": reverse("admin:referrals_payout_change", args=[payout.pk]),
        "summary": reverse("admin:index"),
        "people": reverse("admin:accounts_user_changelist"),
        "person": reverse("admin:accounts_user_change", args=[person.pk]),
        "subscriptions": reverse("admin:billing_subscription_changelist"),
        "site-settings": reverse("admin:constance_constance_changelist"),
        "edit-strategy": f"{deed}?ids={strategy.pk}",
    }


def test_the_pages_of_operators_are_sound(
    browser: BrowserThread,  # noqa: F811  (the fixture)
    live_server,
    client,
):
    make_rows()
    sign_in_operator(client)
    addresses = pages()

    def examine(page: Page) -> list[str]:
        problems = listen(page)
        for name, address in addresses.items():
            answer = page.goto(address)
            settle(page)
            if answer is not None and answer.status != 200:
                problems.append(f"{name}: status {answer.status}")
            for viewport, (width, height) in VIEWPORTS.items():
                page.set_viewport_size({"width": width, "height": height})
                if page.evaluate(_WIDER) > 0:
                    problems.append(f"{name} on a {viewport}: wider than the screen")
                keep_picture(page, f"operators-{name}-{theme}-{viewport}")
        return problems

    for theme in get_args(Theme):
        cookies = {name: morsel.value for name, morsel in client.cookies.items()}
        look = Look(theme, cookies=cookies)
        assert browser.visit(examine, base_url=live_server.url, look=look) == []
