"""The pages of exchange accounts, as a person meets them."""

from uuid import uuid4

import pytest
from django.urls import reverse

from exchanges.models import Credential, ExchangeAccount
from exchanges.services import accounts
from market.errors import CredentialRejectedError
from tests.exchanges.accounts.conftest import API_KEY, NOW, SECRET, UNTOLD
from tests.exchanges.accounts.connecting import connect, reread, run_test
from tests.factories import exchanges as factory
from tests.factories.billing import with_plan

pytestmark = pytest.mark.django_db

LIST = reverse("exchanges:list")
CHOOSE = reverse("exchanges:choose")
CONNECT = reverse("exchanges:connect", args=["memory"])


@pytest.fixture
def browser(client, ada, memory_venue):
    client.force_login(ada)
    return client


def page_of(account, name="detail"):
    return reverse(f"exchanges:{name}", kwargs={"public_id": account.public_id})


def form(**fields):
    defaults = {"label": "Main", "api_key": API_KEY, "secret": SECRET}
    return defaults | fields


class TestTheList:
    def test_nothing_yet_is_said_with_a_way_on(self, browser):
        page = browser.get(LIST).content.decode()

        assert "No exchange accounts yet" in page
        assert CHOOSE in page

    def test_an_account_shows_four_characters_of_its_key(self, browser, ada):
        account = connect(ada)

        page = browser.get(LIST).content.decode()

        assert f"…{API_KEY[-4:]}" in page
        assert page_of(account) in page
        assert "Real money" not in page

    def test_real_money_carries_a_badge(self, browser, ada, venue):
        type(venue).objects.update(real_money=True)
        account = connect(ada)

        assert "Real money" in browser.get(LIST).content.decode()
        assert "Real money" in browser.get(page_of(account)).content.decode()

    def test_a_page_costs_the_same_queries_for_one_account_and_for_many(
        self, browser, ada, django_assert_max_num_queries
    ):
        with_plan(ada)
        for number in range(10):
            connect(ada, label=f"Account {number}")

        # Besides the accounts: the session, the person, the settings of the site, what is unread, the rates.
        with django_assert_max_num_queries(9):
            browser.get(LIST)

    def test_a_stranger_is_sent_to_sign_in(self, client, db):
        assert client.get(LIST).status_code == 302


class TestConnecting:
    def test_a_good_form_leads_to_the_account_whose_key_is_being_tested(self, browser, ada):
        response = browser.post(CONNECT, form(), follow=True)

        account = ExchangeAccount.objects.get(owner=ada)
        assert response.redirect_chain == [(page_of(account), 302)]
        page = response.content.decode()
        assert "A worker asks the exchange about this key." in page
        assert 'hx-trigger="every 2s"' in page

    def test_trimmed_keys_are_told(self, browser):
        response = browser.post(CONNECT, form(secret=f"{SECRET}\n"), follow=True)

        assert "Blanks around the secret were removed." in response.content.decode()

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"api_key": ""}, "This is empty."),
            ({"api_key": " \n"}, "The API key is empty."),
            ({"api_key": "two words of a key"}, "has a blank or a line break inside"),
            ({"secret": API_KEY}, "are the same"),
            ({"secret": "x" * 300}, "is too long: at most 256"),
            ({"label": "x" * 100}, "at most 80 fit"),
        ],
    )
    def test_a_bad_form_says_what_is_wrong_and_shows_no_key(self, browser, fields, said):
        response = browser.post(CONNECT, form(**fields))

        page = response.content.decode()
        assert response.status_code == 422
        assert said in page
        assert API_KEY not in page
        assert SECRET not in page
        assert ExchangeAccount.objects.count() == 0

    def test_a_form_sent_twice_makes_one_account(self, browser):
        browser.post(CONNECT, form())

        response = browser.post(CONNECT, form())

        assert response.status_code == 422
        assert "already have an account named" in response.content.decode()
        assert ExchangeAccount.objects.count() == 1

    def test_without_a_venue_that_takes_keys_the_page_says_so(self, browser, venue):
        type(venue).objects.update(takes_live_accounts=False)

        assert "No exchange takes keys here yet." in browser.get(CHOOSE).content.decode()
        assert browser.get(CONNECT).status_code == 404
        assert browser.post(CONNECT, form()).status_code == 404

    def test_a_venue_that_takes_no_keys_says_why(self, browser):
        factory.make_venue("mexc", name="MEXC", ccxt_id="mexc", real_money=True)

        page = browser.get(CHOOSE).content.decode()

        assert "MEXC: its interface for the spot market has no stops." in page

    def test_the_steps_lead_from_the_venue_to_what_to_tick_and_which_address_to_allow(
        self, browser, settings
    ):
        settings.EGRESS_ADDRESSES = ("203.0.113.7",)
        factory.make_venue("binance", name="Binance", takes_live_accounts=True, real_money=True)
        binance = reverse("exchanges:connect", args=["binance"])
        assert binance in browser.get(CHOOSE).content.decode()

        page = browser.get(binance).content.decode()

        assert "Enable Spot &amp; Margin Trading" in page
        assert "Enable Withdrawals" in page
        assert "203.0.113.7" in page
        assert "passphrase" not in page

    def test_an_unknown_address_of_ours_is_said(self, browser, settings):
        settings.EGRESS_ADDRESSES = ()

        assert "has not said from which address" in browser.get(CONNECT).content.decode()

    def test_a_venue_with_passphrases_asks_for_one(self, browser, ada):
        factory.make_venue("okx", name="OKX", ccxt_id="memory", takes_live_accounts=True)
        address = reverse("exchanges:connect", args=["okx"])

        without = browser.post(address, form())
        given = browser.post(address, form(passphrase="canary-passphrase"))

        assert without.status_code == 422
        assert "This is empty." in without.content.decode()
        assert given.status_code == 302
        assert Credential.objects.get(account__owner=ada).sealed_passphrase

    def test_a_paper_account_needs_no_key(self, browser, ada):
        response = browser.post(reverse("exchanges:paper"), {"paper_venue": "memory"}, follow=True)

        account = ExchangeAccount.objects.get(owner=ada)
        assert response.redirect_chain == [(page_of(account), 302)]
        assert "Test the key" not in response.content.decode()

    def test_a_paper_account_at_no_venue_is_refused(self, browser):
        response = browser.post(reverse("exchanges:paper"), {"paper_venue": "x"}, follow=True)

        assert "Choose the exchange" in response.content.decode()
        assert ExchangeAccount.objects.count() == 0


class TestOneAccount:
    def test_the_poll_answers_nothing_new_until_the_result_is_there(self, browser, ada):
        account = connect(ada)
        address = f"{page_of(account)}?version={account.version}"
        htmx = {"HX-Request": "true"}
        assert browser.get(address, headers=htmx).status_code == 204

        run_test(account)
        response = browser.get(address, headers=htmx)

        assert response.status_code == 200
        assert response["HX-Refresh"] == "true"
        page = browser.get(page_of(account)).content.decode()
        assert "every 2s" not in page
        assert "USDT" in page

    def test_a_refused_key_says_why(self, browser, ada, memory_venue):
        memory_venue.next_question(raises=CredentialRejectedError())
        account = run_test(connect(ada))

        page = browser.get(page_of(account)).content.decode()

        assert "Key refused" in page
        assert "does not accept this key" in page

    def test_the_key_can_be_tested_again(self, browser, ada, memory_venue):
        memory_venue.next_question(raises=CredentialRejectedError())
        account = run_test(connect(ada))

        browser.post(page_of(account, "test"))

        assert reread(account).is_being_tested

    def test_a_venue_that_does_not_tell_asks_for_a_declaration_and_leaves_a_mark(
        self, browser, ada, memory_venue
    ):
        memory_venue.permissions = UNTOLD
        account = run_test(connect(ada))
        assert "I declare that this key" in browser.get(page_of(account)).content.decode()

        nothing = browser.post(page_of(account, "declare"), follow=True)
        browser.post(page_of(account, "declare"), {"declares_safe": "on"})
        run_test(account)

        assert "Tick the declaration" in nothing.content.decode()
        assert "permissions unverified" in browser.get(page_of(account)).content.decode()
        assert "Declared by you" in browser.get(page_of(account)).content.decode()
        assert "permissions unverified" in browser.get(LIST).content.decode()

    def test_the_key_can_be_replaced(self, browser, ada):
        account = connect(ada)
        assert browser.get(page_of(account, "replace-key")).status_code == 200

        response = browser.post(
            page_of(account, "replace-key"),
            {"api_key": "another-key-of-ada-0001", "secret": SECRET},
        )

        assert response.status_code == 302
        assert Credential.objects.get(account=account, replaced_at=None).last_four == "0001"

    def test_a_bad_new_key_leaves_the_old_one(self, browser, ada):
        account = connect(ada)

        response = browser.post(page_of(account, "replace-key"), {"api_key": "", "secret": ""})

        assert response.status_code == 422
        assert Credential.objects.get(account=account).replaced_at is None

    def test_the_account_can_be_closed(self, browser, ada):
        account = connect(ada)

        response = browser.post(page_of(account, "close"), follow=True)

        assert "is closed, and its keys are erased" in response.content.decode()
        assert "Closed" in browser.get(page_of(account)).content.decode()
        assert browser.get(page_of(account, "replace-key")).status_code == 404

    def test_closing_twice_says_so(self, browser, ada):
        account = connect(ada)
        browser.post(page_of(account, "close"))

        response = browser.post(page_of(account, "close"), follow=True)

        assert "This exchange account is closed." in response.content.decode()

    def test_a_paper_account_has_no_key_to_replace(self, browser, ada):
        account = accounts.ensure_paper_account(owner=ada, venue_code="memory", now=NOW)

        assert browser.get(page_of(account, "replace-key")).status_code == 404
        response = browser.post(page_of(account, "test"), follow=True)
        assert "has no API key" in response.content.decode()

    @pytest.mark.parametrize("name", ["detail", "test", "replace-key", "declare", "close"])
    def test_somebody_elses_account_and_none_at_all_answer_alike(self, browser, bert, name):
        account = connect(bert)
        for public_id in (account.public_id, uuid4()):
            address = reverse(f"exchanges:{name}", kwargs={"public_id": public_id})

            answers = {browser.get(address).status_code, browser.post(address).status_code}

            assert answers <= {404, 405}
        assert reread(account).is_being_tested

    @pytest.mark.parametrize("name", ["test", "declare", "close"])
    def test_a_look_at_an_action_does_nothing(self, browser, ada, name):
        assert browser.get(page_of(connect(ada), name)).status_code == 405


def test_the_badge_of_paper_is_not_real_money(browser, ada):
    factory.make_venue("binance", name="Binance", real_money=True)
    account = accounts.ensure_paper_account(owner=ada, venue_code="binance", now=NOW)

    page = browser.get(page_of(account)).content.decode()

    assert "Paper" in page
    assert "Real money" not in page
