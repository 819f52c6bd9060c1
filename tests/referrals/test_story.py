"""A friend joins by a link and pays: from the payment at the provider to the payout."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from billing.domain.accounts import AccountCode
from billing.selectors import ledger
from billing.services import ledger_checks
from foundation.models import OutboxEvent
from referrals.models import Attribution, Commission, CommissionStatus
from referrals.services import commissions, payouts
from tests.accounts.visits import SIGN_UP
from tests.billing.buying import NOW, buy, give_back, make_price
from tests.factories.accounts import PASSWORD
from tests.factories.referrals import OPERATOR, ask, bring, code_of, deliver, make_referrer

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=40)


def deliver_payments() -> None:
    """Deliver what billing told, twice each, as a queue may."""
    for event in OutboxEvent.objects.filter(name__startswith="billing.payment").order_by("pk"):
        deliver(event)
        deliver(event)


def test_a_payment_earns_and_is_paid_out_and_the_books_balance():
    referrer = make_referrer()
    friend = bring(referrer)
    payment = buy(friend, make_price(amount="290"))
    again = buy(friend, make_price(amount="290"), now=NOW + timedelta(days=1))

    deliver_payments()
    commissions.mature_due(now=LATER)
    payout = ask(referrer, now=LATER)
    payouts.send_payout(payout_id=payout.pk, reference="TR-1", by=OPERATOR, now=LATER)

    commission = Commission.objects.get()
    assert (commission.payment_id, commission.net) == (payment.pk, payment.amount - payment.fee)
    assert payout.amount == commission.amount
    assert again.pk != payment.pk
    assert ledger_checks.verify(now=LATER) == []
    assert ledger.balance(account=AccountCode.CASH, currency="USD") == -payout.amount


def test_a_refund_takes_the_commission_back():
    referrer = make_referrer()
    payment = buy(bring(referrer), make_price(amount="290"))
    deliver_payments()

    give_back(payment, "90")
    deliver_payments()

    commission = Commission.objects.get()
    kept = (payment.amount - payment.fee - 90) / 10
    assert commission.amount - commission.taken_back == kept.quantize(
        Decimal("0.01"), rounding="ROUND_DOWN"
    )
    give_back(payment)
    deliver_payments()
    commission.refresh_from_db()
    assert commission.status == CommissionStatus.REVERSED
    assert ledger_checks.verify(now=NOW) == []


def test_a_payment_that_overtakes_the_sign_up_earns_all_the_same(client):
    referrer = make_referrer()
    client.get(f"/r/{code_of(referrer)}/")
    client.post(SIGN_UP, {"email": "b@example.com", "password1": PASSWORD, "password2": PASSWORD})
    friend = User.objects.get(email="b@example.com")

    buy(friend, make_price(amount="290"))
    deliver_payments()
    deliver(OutboxEvent.objects.get(name="accounts.person-registered", owner=friend))

    assert Commission.objects.get().owner == referrer
    assert Attribution.objects.get().referred == friend
