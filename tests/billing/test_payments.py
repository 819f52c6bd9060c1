"""From an order to its settlement, through the bank for development."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from uuid import uuid4

import pytest
from django.db import transaction

from accounts.models import Mail, Notification
from billing.domain.accounts import AccountCode
from billing.domain.payments import PAYMENT_TRANSITIONS, PaymentState
from billing.events import PAYMENT_SETTLED, SUBSCRIPTION_STARTED
from billing.models import DevelopmentCharge, Grant, GrantSource, Payment, Subscription
from billing.providers.protocol import ProviderStatus, ProviderUnavailableError
from billing.providers.registry import get_provider
from billing.selectors.entitlements import is_entitled, plan_of
from billing.selectors.ledger import balance, violations
from billing.selectors.payments import prices_for
from billing.services import checkout, development, payment_checks, subscriptions
from billing.services.checkout import (
    NothingSoldError,
    OrderReusedError,
    PriceNotFoundError,
    TooManyOpenOrdersError,
)
from billing.services.subscriptions import NoEndToExtendError, SubscriptionDeactivatedError
from tests.billing.buying import (
    NOW,
    buy,
    charge_of,
    deliver_all,
    events_called,
    make_price,
    order,
    pay,
    place,
)
from tests.billing.races import together
from tests.factories import billing as factory
from tests.factories.accounts import make_person

PRO = "plan:pro"


@pytest.mark.django_db
class TestOrder:
    def test_an_order_keeps_what_the_server_says_it_costs(self):
        person, price = make_person(), make_price(amount="29.50")

        payment = order(person, price)

        assert (payment.amount, payment.currency, payment.state) == (
            Decimal("29.50"),
            "USD",
            PaymentState.PENDING,
        )
        assert charge_of(payment).amount == Decimal("29.50")
        assert payment.checkout_url.endswith(f"{payment.provider_reference}/")

    def test_the_same_request_is_the_same_order(self):
        person, price, key = make_person(), make_price(), uuid4()

        first = place(person, price, request_key=key)
        again = place(person, price, request_key=key)

        assert first == again
        assert Payment.objects.count() == 1

    def test_the_key_of_another_order_is_refused(self):
        person, key = make_person(), uuid4()
        place(person, make_price(), request_key=key)

        with pytest.raises(OrderReusedError):
            place(person, make_price(interval="YEAR", amount="290"), request_key=key)

    def test_a_price_that_was_replaced_cannot_be_ordered(self):
        person, old = make_person(), make_price(amount="29")
        make_price(amount="39")

        with pytest.raises(PriceNotFoundError):
            place(person, old)

    def test_a_price_that_nobody_made_cannot_be_ordered(self):
        person, price = make_person(), make_price()
        price.public_id = uuid4()

        with pytest.raises(PriceNotFoundError):
            place(person, price)

    def test_nothing_is_sold_without_a_provider(self, settings):
        settings.PAYMENT_PROVIDER = "none"

        with pytest.raises(NothingSoldError):
            place(make_person(), make_price())

    def test_a_subscription_without_an_end_is_not_sold_again(self):
        person, price = make_person(), make_price()
        factory.with_plan(person, PRO)

        with pytest.raises(NoEndToExtendError):
            place(person, price)

    def test_what_an_operator_took_away_is_not_sold(self):
        person, price = make_person(), make_price()
        given = factory.give(person, PRO, now=NOW)
        subscriptions.deactivate(subscription_id=given.pk, by=factory.STAFF, now=NOW)

        with pytest.raises(SubscriptionDeactivatedError):
            place(person, price)

    def test_many_unpaid_orders_are_enough(self):
        person, price = make_person(), make_price()
        for _ in range(20):
            place(person, price)

        with pytest.raises(TooManyOpenOrdersError):
            place(person, price)

    def test_asking_the_provider_again_is_the_same_charge(self):
        person, price = make_person(), make_price()
        payment = place(person, price)
        provider, ordered = get_provider("development"), checkout._order(payment)

        first = provider.create_checkout(ordered)
        checkout.open_checkout(payment_id=payment.pk, now=NOW)

        payment.refresh_from_db()
        assert payment.provider_reference == first.reference
        assert DevelopmentCharge.objects.count() == 1

    def test_an_unreachable_provider_is_asked_again_and_then_given_up(self, monkeypatch):
        person, price = make_person(), make_price()
        payment = place(person, price)

        def away(self, ordered):
            raise ProviderUnavailableError

        monkeypatch.setattr(
            "billing.providers.development.DevelopmentProvider.create_checkout", away
        )
        for _ in range(7):
            Payment.objects.filter(pk=payment.pk).update(not_before=NOW - timedelta(days=9_000))
            checkout.open_checkout(payment_id=payment.pk, now=NOW)

        payment.refresh_from_db()
        assert payment.state == PaymentState.FAILED
        assert Notification.objects.filter(kind="PAYMENT_FAILED").count() == 1


@pytest.mark.django_db
class TestSettle:
    def test_a_paid_order_is_booked_extends_and_is_told(self):
        person, price = make_person(), make_price(amount="100")

        payment = pay(order(person, price))

        assert payment.state == PaymentState.SETTLED
        assert payment.sequence == 1
        assert payment.fee == Decimal("3.20")
        assert plan_of(person, now=NOW).product.code == PRO
        assert balance(account=AccountCode.PROCESSOR_CLEARING, currency="USD") == Decimal("96.80")
        assert balance(account=AccountCode.FEES, currency="USD") == Decimal("3.20")
        assert balance(account=AccountCode.DEFERRED_REVENUE, currency="USD") == 100
        assert violations() == []
        assert events_called(PAYMENT_SETTLED) == [
            {
                "payment_id": payment.pk,
                "currency": "USD",
                "amount": "100",
                "fee": "3.2",
                "net": "96.8",
                "sequence": 1,
            }
        ]
        assert len(events_called(SUBSCRIPTION_STARTED)) == 1
        receipt = Mail.objects.get(kind="receipt")
        assert receipt.facts["paid"] == "100.00 USD"
        assert [t.to_state for t in payment.transitions.order_by("pk")] == [
            "CREATED",
            "PENDING",
            "SETTLED",
        ]

    def test_a_renewal_begins_at_the_present_end(self):
        person, price = make_person(), make_price()

        buy(person, price)
        second = buy(person, price, now=NOW + timedelta(days=10))

        subscription = Subscription.objects.get(owner=person)
        assert subscription.ends_at == NOW.replace(month=5)
        assert second.sequence == 2
        assert Grant.objects.filter(source=GrantSource.PURCHASE).count() == 2

    def test_a_year_is_twelve_months(self):
        person = make_person()

        buy(person, make_price(interval="YEAR", amount="290"))

        assert Subscription.objects.get(owner=person).ends_at == NOW.replace(year=2027)

    def test_every_notice_again_changes_nothing(self):
        person = make_person()
        payment = order(person, make_price())
        development.delay(reference=charge_of(payment).reference, now=NOW)
        development.pay(reference=charge_of(payment).reference, now=NOW + timedelta(seconds=1))

        for _ in range(3):
            deliver_all(now=NOW + timedelta(seconds=2))

        assert Grant.objects.count() == 1
        assert len(events_called(PAYMENT_SETTLED)) == 1
        assert violations() == []

    def test_a_strategy_is_bought_the_same_way(self):
        person = make_person()
        with transaction.atomic():
            factory.make_strategy_product("ema", name="EMA")
        price = make_price("strategy:ema", "10")

        buy(person, price)

        assert is_entitled(person.pk, "strategy:ema", now=NOW)

    def test_a_declined_payment_fails_and_is_told(self):
        person = make_person()
        payment = order(person, make_price())

        development.decline(reference=charge_of(payment).reference, now=NOW)
        deliver_all()

        payment.refresh_from_db()
        assert payment.state == PaymentState.FAILED
        assert not Grant.objects.exists()
        assert Mail.objects.filter(kind="payment_failed").count() == 1

    def test_an_order_that_nobody_pays_expires(self):
        payment = order(make_person(), make_price())
        DevelopmentCharge.objects.update(created_at=NOW - timedelta(hours=25))

        development.move_on(now=NOW)
        deliver_all()

        payment.refresh_from_db()
        assert payment.state == PaymentState.EXPIRED

    def test_money_that_arrives_after_all_counts(self):
        person = make_person()
        payment = order(person, make_price())
        development.decline(reference=charge_of(payment).reference, now=NOW)
        deliver_all()
        DevelopmentCharge.objects.update(state="OPEN")

        pay(payment, now=NOW + timedelta(hours=1))

        assert payment.state == PaymentState.SETTLED
        assert plan_of(person, now=NOW + timedelta(hours=1)).product.code == PRO

    def test_a_lost_notice_is_found_by_asking(self):
        payment = order(make_person(), make_price())
        development.pay(reference=charge_of(payment).reference, now=NOW)
        Payment.objects.update(not_before=NOW - timedelta(days=9_000))

        payment_checks.check_payment(payment_id=payment.pk, now=NOW)

        payment.refresh_from_db()
        assert payment.state == PaymentState.SETTLED

    def test_what_was_given_without_an_end_meanwhile_gets_no_time_and_the_money_is_kept(self):
        person, price = make_person(), make_price()
        payment = order(person, price)
        factory.with_plan(person, PRO)

        pay(payment)

        assert payment.state == PaymentState.SETTLED
        assert payment.grant is None
        assert Subscription.objects.get(owner=person).ends_at is None
        assert violations() == []

    def test_what_was_deactivated_meanwhile_gets_its_time_and_stays_so(self):
        person, price = make_person(), make_price()
        given = factory.give(person, PRO, now=NOW)
        payment = order(person, price)
        subscriptions.deactivate(subscription_id=given.pk, by=factory.STAFF, now=NOW)

        pay(payment)

        given.refresh_from_db()
        assert given.status == "DEACTIVATED"
        assert given.ends_at == NOW.replace(month=5)
        assert not is_entitled(person.pk, PRO, now=NOW)


@pytest.mark.django_db
class TestKeptPrice:
    def test_a_buyer_keeps_the_price_bought_while_it_runs(self):
        ada, ben = make_person(), make_person("ben@example.com")
        old = make_price(amount="29")
        buy(ada, old)
        new = make_price(amount="39")

        [hers] = prices_for(ada.pk, [PRO], now=NOW)[PRO]
        [his] = prices_for(ben.pk, [PRO], now=NOW)[PRO]

        assert (hers.price, hers.is_kept) == (old, True)
        assert (his.price, his.is_kept) == (new, False)
        assert buy(ada, old, now=NOW + timedelta(days=5)).amount == 29

    def test_after_the_end_the_price_in_force_holds(self):
        person, old = make_person(), make_price(amount="29")
        buy(person, old)
        new = make_price(amount="39")

        [offered] = prices_for(person.pk, [PRO], now=NOW + timedelta(days=60))[PRO]

        assert offered.price == new


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_the_same_order_sent_at_once_is_one(self):
        person, price, key = make_person(), make_price(), uuid4()

        results = together([lambda: place(person, price, request_key=key)] * 8)

        assert len({payment.pk for payment in results}) == 1
        assert Payment.objects.count() == 1

    def test_two_payments_settled_at_once_add_up(self):
        person, price = make_person(), make_price()
        paid = [order(person, price) for _ in range(4)]
        for payment in paid:
            development.pay(reference=charge_of(payment).reference, now=NOW)

        Payment.objects.update(not_before=NOW - timedelta(days=9_000))
        together(
            [
                partial(payment_checks.check_payment, payment_id=payment.pk, now=NOW)
                for payment in paid
            ]
        )

        assert Subscription.objects.get(owner=person).ends_at == NOW.replace(month=7)
        assert set(Payment.objects.values_list("sequence", flat=True)) == {1, 2, 3, 4}
        assert violations() == []


def test_from_each_state_only_the_named_ones_follow():
    assert set(PAYMENT_TRANSITIONS) == set(PaymentState)
    for before, after in PAYMENT_TRANSITIONS.items():
        assert before not in after
    assert PaymentState.SETTLED in PAYMENT_TRANSITIONS[PaymentState.EXPIRED]
    assert PAYMENT_TRANSITIONS[PaymentState.REFUNDED] == frozenset()
    assert {status.value for status in ProviderStatus} == {"PENDING", "PAID", "FAILED", "EXPIRED"}
