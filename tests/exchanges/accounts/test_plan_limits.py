"""What a person's plan says about exchange accounts."""

import pytest
from rest_framework.test import APIClient

from billing.services.entitlements import PlanLimitError
from exchanges.models import ExchangeAccount
from exchanges.selectors.usage import count_accounts
from exchanges.services import accounts
from foundation.audit import Actor
from tests.exchanges.accounts.conftest import API_KEY, NOW, SECRET
from tests.exchanges.accounts.connecting import connect
from tests.factories import exchanges as factory
from tests.factories.billing import with_plan

pytestmark = pytest.mark.django_db

CREDENTIALS = {"venue": "memory", "label": "Fourth", "api_key": API_KEY, "secret": SECRET}


@pytest.fixture
def ada_with_three(ada, memory_venue):
    """A person with as many accounts as the free plan allows."""
    for number in range(3):
        connect(ada, label=f"Number {number}")
    return ada


class TestAccounts:
    def test_one_more_than_allowed_is_refused_and_leaves_no_key(self, ada_with_three):
        with pytest.raises(PlanLimitError, match="allows 3 exchange accounts, and you have 3"):
            connect(ada_with_three, label="Fourth")

        assert ExchangeAccount.objects.count() == 3

    def test_a_closed_account_makes_room(self, ada_with_three):
        account = ExchangeAccount.objects.earliest("pk")
        accounts.close_account(
            owner=ada_with_three,
            account_public_id=account.public_id,
            by=Actor.person(ada_with_three.pk),
            now=NOW,
        )

        connect(ada_with_three, label="Fourth")

        assert count_accounts(ada_with_three.pk, NOW) == 3

    def test_paper_accounts_do_not_count(self, ada, memory_venue):
        for code in ("memory", "a", "b", "c"):
            if code != "memory":
                factory.make_venue(code)
            accounts.ensure_paper_account(
                owner=ada, venue_code=code, by=Actor.person(ada.pk), now=NOW
            )

        assert count_accounts(ada.pk, NOW) == 0
        connect(ada)

    def test_somebody_elses_do_not_count(self, ada_with_three, bert):
        connect(bert)

    def test_a_larger_plan_allows_more(self, ada_with_three):
        connect(with_plan(ada_with_three), label="Fourth")


class TestHowItIsTold:
    def test_the_form_leads_to_the_usage_page_and_keeps_no_key(self, client, ada_with_three):
        client.force_login(ada_with_three)

        answer = client.post("/exchange-accounts/connect/memory/", CREDENTIALS)

        page = answer.content.decode()
        assert answer.status_code == 402
        assert "allows 3 exchange accounts" in page
        assert 'href="/billing/usage/"' in page
        assert 'value="Fourth"' in page
        assert SECRET not in page

    def test_the_api_names_the_limit(self, ada_with_three):
        api = APIClient()
        api.force_login(ada_with_three)

        answer = api.post("/api/v1/exchange-accounts", CREDENTIALS, format="json")

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (402, "plan_limit_reached")
        assert problem["errors"][0]["field"] == "exchange_accounts"
        assert "“Free”" in problem["detail"]
