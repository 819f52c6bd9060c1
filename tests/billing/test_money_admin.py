"""What operators see of payments and books, and the one thing that they may do."""

from datetime import timedelta

import pytest
from django.urls import reverse

from billing.models import Payment, Refund
from billing.services import ledger_checks, refunds
from foundation.models import AuditEntry
from tests.admin.test_deeds import address_of, do
from tests.billing.buying import NOW, buy, make_price
from tests.factories.accounts import make_person, sign_in_operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client):
    return sign_in_operator(client)


def test_lists_show_amounts_as_people_write_them_and_sort_by_them(client, operator):
    for amount in ("29", "1000.5", "7.25"):
        buy(make_person(f"p{amount}@example.com"), make_price(amount=amount))

    page = client.get(reverse("admin:billing_payment_changelist"), {"o": "5"}).content.decode()

    assert "00000" not in page
    places = [page.index(f">{amount}<") for amount in ("7.25", "29", "1000.5")]
    assert places == sorted(places)


class TestRefund:
    def test_a_part_is_given_back_and_on_record(self, client, operator):
        payment = buy(make_person(), make_price(amount="100"))

        told = do(client, "refund", payment, amount="30", note="Asked nicely")
        refund = Refund.objects.get()
        refunds.send_refund(refund_id=refund.pk, now=NOW + timedelta(minutes=1))

        assert "30 USD are being given back." in told.content.decode()
        payment.refresh_from_db()
        assert (payment.state, payment.refunded_amount) == ("PARTLY_REFUNDED", 30)
        entry = AuditEntry.objects.get(verb="payment.refund_requested")
        assert entry.actor_identifier == str(operator.pk)

    def test_too_much_is_refused_with_words(self, client, operator):
        payment = buy(make_person(), make_price(amount="100"))

        told = do(client, "refund", payment, amount="100.01")

        assert "At most 100 USD" in told.content.decode()
        assert not Refund.objects.exists()

    def test_people_may_not(self, client):
        payment = buy(make_person())
        client.force_login(Payment.objects.get().owner)

        assert client.get(address_of("refund", payment)).status_code in {302, 403, 404}
        assert not Refund.objects.exists()


class TestTrialBalance:
    def test_it_shows_every_account_and_that_they_balance(self, client, operator):
        buy(make_person(), make_price(amount="100"))
        ledger_checks.verify(now=NOW)

        page = client.get(reverse("admin:billing_trial_balance")).content.decode()

        assert "The books balance in every currency." in page
        assert "in order." in page
        for text in ("processor_clearing", "deferred_revenue", "fees", "96.80", "100.00", "3.20"):
            assert text in page

    def test_without_any_entry_it_says_so(self, client, operator):
        page = client.get(reverse("admin:billing_trial_balance")).content.decode()

        assert "Nothing has been posted yet." in page

    def test_strangers_do_not_see_it(self, client):
        assert client.get(reverse("admin:billing_trial_balance")).status_code == 302
