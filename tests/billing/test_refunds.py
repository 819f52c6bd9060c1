"""Giving money back: reserved, sent once, booked, and what it takes with it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Mail
from billing.domain.accounts import AccountCode
from billing.events import PAYMENT_REFUNDED, SUBSCRIPTION_ENDED
from billing.models import DevelopmentRefund, Payment, Refund, Subscription
from billing.providers.protocol import ProviderRejectedError, ProviderUnavailableError
from billing.selectors.entitlements import is_entitled
from billing.selectors.ledger import balance, trial_balance, violations
from billing.services import development, payment_checks, recognition, refunds
from billing.services.refunds import (
    InvalidRefundError,
    NotRefundableError,
    RefundTooLargeError,
)
from tests.billing.buying import (
    NOW,
    buy,
    charge_of,
    deliver_all,
    events_called,
    give_back,
    make_price,
    order,
)
from tests.billing.races import together
from tests.factories import billing as factory
from tests.factories.accounts import make_person

PRO = "plan:pro"
CLEARING, FEES = AccountCode.PROCESSOR_CLEARING, AccountCode.FEES
DEFERRED, REVENUE = AccountCode.DEFERRED_REVENUE, AccountCode.REVENUE


def ask(payment, amount=None):
    return refunds.request_refund(
        payment_id=payment.pk,
        amount=Decimal(amount) if amount else None,
        by=factory.STAFF,
        now=NOW,
    )


@pytest.mark.django_db
class TestRefund:
    def test_all_of_it_ends_what_it_bought(self):
        person = make_person()
        payment = buy(person, make_price(amount="100"))

        refund = give_back(payment)

        assert (refund.state, refund.amount) == ("SUCCEEDED", 100)
        assert payment.state == "REFUNDED"
        assert not is_entitled(person.pk, PRO, now=NOW)
        assert len(events_called(SUBSCRIPTION_ENDED)) == 1
        assert balance(account=DEFERRED, currency="USD") == 0
        assert balance(account=CLEARING, currency="USD") == Decimal("-3.20")
        assert balance(account=FEES, currency="USD") == Decimal("3.20")
        assert violations() == []
        assert Mail.objects.filter(kind="refund_sent").count() == 1
        assert events_called(PAYMENT_REFUNDED) == [
            {
                "payment_id": payment.pk,
                "refund_id": refund.pk,
                "currency": "USD",
                "amount": "100",
                "total_refunded": "100",
                "paid": "100",
            }
        ]

    def test_a_part_leaves_the_subscription(self):
        person = make_person()
        payment = buy(person, make_price(amount="100"))

        give_back(payment, "30")
        assert payment.state == "PARTLY_REFUNDED"
        assert is_entitled(person.pk, PRO, now=NOW)

        give_back(payment, "70")
        assert payment.state == "REFUNDED"
        assert not is_entitled(person.pk, PRO, now=NOW)
        assert [p["total_refunded"] for p in events_called(PAYMENT_REFUNDED)] == ["30", "100"]
        assert violations() == []

    def test_one_of_two_payments_takes_its_own_time_only(self):
        person, price = make_person(), make_price()
        buy(person, price)
        second = buy(person, price)

        give_back(second)

        assert Subscription.objects.get(owner=person).ends_at == NOW.replace(month=4)
        assert is_entitled(person.pk, PRO, now=NOW)

    def test_what_was_delivered_is_given_back_out_of_revenue(self):
        payment = buy(make_person(), make_price(amount="31"))
        recognition.recognize_due(now=NOW + timedelta(days=10))
        assert balance(account=REVENUE, currency="USD") == 10

        give_back(payment, now=NOW + timedelta(days=10))

        assert balance(account=REVENUE, currency="USD") == 0
        assert balance(account=DEFERRED, currency="USD") == 0
        assert trial_balance().is_balanced
        assert violations() == []

    @pytest.mark.parametrize(
        ("amount", "error"),
        [
            ("100.01", RefundTooLargeError),
            ("-1", InvalidRefundError),
            ("0.005", InvalidRefundError),
            ("NaN", InvalidRefundError),
            ("Infinity", InvalidRefundError),
        ],
    )
    def test_an_amount_that_cannot_be_is_refused(self, amount, error):
        payment = buy(make_person(), make_price(amount="100"))

        with pytest.raises(error):
            ask(payment, amount)

    def test_what_is_not_paid_or_is_given_back_cannot_be(self):
        person, price = make_person(), make_price()
        unpaid, paid = order(person, price), buy(person, price)
        give_back(paid)

        for payment in (unpaid, paid):
            with pytest.raises(NotRefundableError):
                ask(payment)

    def test_what_is_asked_for_is_reserved(self):
        payment = buy(make_person(), make_price(amount="100"))
        ask(payment, "60")

        with pytest.raises(RefundTooLargeError):
            ask(payment, "50")
        assert ask(payment).amount == 40

    def test_sending_again_after_a_crash_is_one_refund(self, monkeypatch):
        payment = buy(make_person())
        refund = ask(payment)
        monkeypatch.setattr(refunds, "_book", lambda *a, **k: None)
        refunds.send_refund(refund_id=refund.pk, now=NOW)
        monkeypatch.undo()
        Refund.objects.update(not_before=NOW)

        refunds.send_refund(refund_id=refund.pk, now=NOW)

        assert DevelopmentRefund.objects.count() == 1
        payment.refresh_from_db()
        assert payment.state == "REFUNDED"
        assert violations() == []

    def test_an_unreachable_provider_is_asked_again(self, monkeypatch):
        payment = buy(make_person())

        def away(*_, **__):
            raise ProviderUnavailableError

        monkeypatch.setattr("billing.providers.development.DevelopmentProvider.refund", away)
        assert give_back(payment).state == "REQUESTED"

    def test_a_provider_that_refuses_releases_what_was_reserved(self, monkeypatch):
        payment = buy(make_person())

        def refuse(*_, **__):
            raise ProviderRejectedError

        monkeypatch.setattr("billing.providers.development.DevelopmentProvider.refund", refuse)
        assert give_back(payment).state == "FAILED"
        monkeypatch.undo()

        assert give_back(payment).state == "SUCCEEDED"

    def test_a_refund_made_at_the_provider_is_found_by_its_notice(self):
        person = make_person()
        payment = buy(person)

        development.refund(reference=charge_of(payment).reference, now=NOW + timedelta(seconds=5))
        deliver_all(now=NOW + timedelta(seconds=5))

        payment.refresh_from_db()
        assert payment.state == "REFUNDED"
        assert Refund.objects.get().note == "Made at the provider."
        assert not is_entitled(person.pk, PRO, now=NOW + timedelta(seconds=6))
        assert violations() == []

    def test_a_refund_made_at_the_provider_is_found_by_asking(self):
        payment = buy(make_person())
        development.refund(reference=charge_of(payment).reference, now=NOW)
        Payment.objects.update(not_before=NOW)

        payment_checks.check_payment(payment_id=payment.pk, now=NOW + timedelta(days=1))

        payment.refresh_from_db()
        assert payment.state == "REFUNDED"


@pytest.mark.django_db
class TestRecognition:
    def test_each_day_delivers_its_share_and_the_last_the_rest(self):
        payment = buy(make_person(), make_price(amount="10"))
        shares = []
        for day in range(1, 33):
            before = balance(account=REVENUE, currency="USD")
            recognition.recognize_due(now=NOW + timedelta(days=day))
            shares.append(balance(account=REVENUE, currency="USD") - before)

        assert sum(shares) == 10
        assert set(shares[:31]) <= {Decimal("0.32"), Decimal("0.33")}
        assert shares[31] == 0
        payment.refresh_from_db()
        assert payment.deferred_amount == 0
        assert violations() == []

    def test_the_same_night_twice_books_once(self):
        buy(make_person(), make_price(amount="31"))
        for _ in range(2):
            recognition.recognize_due(now=NOW + timedelta(days=3))

        assert balance(account=REVENUE, currency="USD") == 3


@pytest.mark.django_db(transaction=True)
def test_of_thirty_two_refunds_at_once_one_is_taken():
    payment = buy(make_person())

    results = together([lambda: ask(payment)] * 32)

    assert sum(isinstance(each, Refund) for each in results) == 1
    assert sum(isinstance(each, NotRefundableError) for each in results) == 31
