"""Commissions: earned by payments, payable after a while, taken back by refunds."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Mail, MailKind, Notification, User
from billing.domain.accounts import AccountCode
from billing.selectors import ledger
from foundation import site_settings
from foundation.audit import Actor
from referrals.models import Attribution, Clawback, Commission, CommissionStatus
from referrals.services import commissions
from tests.factories import referrals as factory
from tests.factories.accounts import make_person
from tests.factories.referrals import PAID_AT, PAYABLE_AT, bring, deliver, make_referrer, pay

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def referrer(db: None) -> User:
    return make_referrer()


@pytest.fixture
def payer(referrer: User) -> User:
    return bring(referrer)


def booked(account: AccountCode, owner: User | None = None) -> Decimal:
    return ledger.balance(account=account, currency="USD", owner_id=owner.pk if owner else None)


def balances(referrer: User) -> tuple[Decimal | int, ...]:
    """Return expense, pending and payable."""
    assert ledger.trial_balance().is_balanced
    return (
        booked(AccountCode.COMMISSION_EXPENSE),
        booked(AccountCode.COMMISSION_PENDING, referrer),
        booked(AccountCode.COMMISSION_PAYABLE, referrer),
    )


def set_rules(**rules: Any) -> None:
    site_settings.change_settings(
        replace(site_settings.current(), **rules), by=Actor.system("test")
    )


def refund(payer: User, total: str, *, payment_id: int, refund_id: int = 1) -> Clawback | None:
    return commissions.take_back(
        refund_id=refund_id,
        payment_id=payment_id,
        referred_id=payer.pk,
        currency="USD",
        total_refunded=D(total),
        refunded_at=PAID_AT + timedelta(days=1),
    )


class TestAccrue:
    def test_the_rate_of_what_the_payment_brought_is_owed_and_pending(self, referrer, payer):
        commission = pay(payer, "96.80")

        assert commission is not None
        assert (commission.amount, commission.rate, commission.status) == (
            D("9.68"),
            D("0.10"),
            CommissionStatus.PENDING,
        )
        assert commission.payable_from == PAYABLE_AT
        assert balances(referrer) == (D("9.68"), D("9.68"), 0)
        assert Attribution.objects.get().first_paid_at == PAID_AT

    @pytest.mark.parametrize(
        ("net", "currency", "earned"),
        [
            ("96.89", "USD", "9.68"),
            ("0.99", "USD", "0.09"),
            ("1999", "JPY", "199"),
            ("10.009", "KWD", "1.000"),
        ],
    )
    def test_fractions_of_a_coin_are_not_owed(self, payer, net, currency, earned):
        commission = pay(payer, net, currency=currency)

        assert commission is not None
        assert commission.amount == D(earned)

    @pytest.mark.parametrize("net", ["0", "-3", "0.09"])
    def test_what_earns_no_coin_is_no_commission(self, referrer, payer, net):
        assert pay(payer, net) is None
        assert balances(referrer) == (0, 0, 0)

    def test_a_payment_earns_once_however_often_it_is_told(self, referrer, payer):
        event = factory.tell_settled(payer, payment_id=7)
        again = factory.tell_settled(payer, payment_id=7)

        deliver(event)
        deliver(again)

        assert Commission.objects.count() == 1
        assert balances(referrer)[0] == D("9.68")

    def test_only_the_first_payment_earns(self, referrer, payer):
        assert pay(payer, payment_number=2) is None
        assert pay(payer, payment_number=1) is not None
        assert balances(referrer)[0] == D("9.68")

    def test_every_payment_earns_if_the_settings_say_so(self, referrer, payer):
        set_rules(referral_payments="ALL", referral_rate=D("0.2"))

        pay(payer, "10", payment_number=1)
        pay(payer, "20", payment_number=2)

        assert balances(referrer)[0] == D(6)

    def test_a_rate_of_zero_earns_nothing(self, payer):
        set_rules(referral_rate=D(0))

        assert pay(payer) is None

    def test_a_change_of_the_rate_leaves_what_was_earned(self, payer):
        commission = pay(payer)
        set_rules(referral_rate=D("0.5"))

        assert commission is not None
        refund(payer, "50", payment_id=commission.payment_id)
        commission.refresh_from_db()
        assert commission.amount - commission.taken_back == D("4.68")

    def test_who_came_by_themselves_earns_nothing_for_anybody(self, referrer):
        assert pay(make_person("alone@example.com")) is None
        assert Commission.objects.count() == 0

    def test_a_deactivated_referrer_earns_nothing(self, referrer, payer):
        User.objects.filter(pk=referrer.pk).update(is_active=False)

        assert pay(payer) is None
        assert balances(referrer) == (0, 0, 0)

    def test_the_referrer_is_told_once_without_the_name_of_who_paid(self, referrer, payer):
        commission = pay(payer, payment_id=7)
        pay(payer, payment_id=7)

        notification = Notification.objects.get(owner=referrer)
        assert "9.68 USD" in notification.title
        mail = Mail.objects.get(kind=MailKind.COMMISSION_EARNED)
        assert mail.recipient == referrer.email
        assert payer.email not in f"{notification.title}{notification.body}{mail.facts}"
        assert commission is not None


class TestMature:
    def test_after_the_time_for_refunds_it_is_payable(self, referrer, payer):
        pay(payer)

        assert commissions.mature_due(now=PAYABLE_AT - timedelta(seconds=1)) == 0
        assert commissions.mature_due(now=PAYABLE_AT) == 1
        assert commissions.mature_due(now=PAYABLE_AT) == 0
        assert balances(referrer) == (D("9.68"), 0, D("9.68"))
        assert Commission.objects.get().status == CommissionStatus.PAYABLE

    def test_what_was_taken_back_does_not_become_payable(self, referrer, payer):
        commission = pay(payer)
        assert commission is not None
        refund(payer, "46.80", payment_id=commission.payment_id)

        commissions.mature_due(now=PAYABLE_AT)

        assert balances(referrer) == (D("5.00"), 0, D("5.00"))

    def test_many_people_at_once(self, referrer):
        other = make_referrer("grace@example.com")
        for person in (referrer, other):
            for _ in range(3):
                pay(bring(person))

        assert commissions.mature_due(now=PAYABLE_AT) == 6


class TestTakeBack:
    def test_a_full_refund_takes_all_of_it_back(self, referrer, payer):
        commission = pay(payer)
        assert commission is not None

        refund(payer, "100", payment_id=commission.payment_id)

        commission.refresh_from_db()
        assert commission.status == CommissionStatus.REVERSED
        assert balances(referrer) == (0, 0, 0)

    def test_a_part_takes_the_rate_of_it(self, referrer, payer):
        commission = pay(payer, "96.80")
        assert commission is not None

        refund(payer, "30", payment_id=commission.payment_id)

        assert balances(referrer) == (D("6.68"), D("6.68"), 0)

    def test_a_refund_counts_once_however_often_it_is_told(self, referrer, payer):
        deliver(factory.tell_settled(payer, payment_id=7))
        for _ in range(3):
            deliver(factory.tell_refunded(payer, "30", payment_id=7, refund_id=5))

        assert Clawback.objects.count() == 1
        assert balances(referrer)[0] == D("6.68")

    def test_refunds_may_be_told_in_any_order(self, referrer, payer):
        deliver(factory.tell_settled(payer, payment_id=7))
        first = factory.tell_refunded(payer, "30", payment_id=7, refund_id=5, total="30")
        second = factory.tell_refunded(payer, "20", payment_id=7, refund_id=6, total="50")

        deliver(second)
        deliver(first)

        assert balances(referrer)[0] == D("4.68")
        assert [row.amount for row in Clawback.objects.order_by("refund_id")] == [D(0), D(5)]

    def test_a_refund_may_be_told_before_its_payment(self, referrer, payer):
        deliver(factory.tell_refunded(payer, "100", payment_id=7, refund_id=5))
        deliver(factory.tell_settled(payer, payment_id=7))

        assert Commission.objects.get().status == CommissionStatus.REVERSED
        assert balances(referrer) == (0, 0, 0)
        assert not Notification.objects.filter(owner=referrer).exists()

    def test_a_late_refund_leaves_a_debt_that_is_set_off(self, referrer):
        commission = factory.earn(referrer, "500")
        factory.ask(referrer)
        payer = commission.attribution.referred

        refund(payer, "500", payment_id=commission.payment_id)

        assert balances(referrer) == (0, 0, D(-50))
        factory.earn(referrer, "700")
        assert balances(referrer) == (D(70), 0, D(20))

    def test_a_refund_to_somebody_else_changes_nothing(self, referrer, payer):
        pay(payer, payment_id=7)

        assert refund(make_referrer("other@example.com"), "100", payment_id=8) is None
        assert balances(referrer)[0] == D("9.68")

    def test_a_refund_of_what_earned_nothing_changes_nothing(self, referrer, payer):
        pay(payer, payment_id=7)
        pay(payer, payment_id=8, payment_number=2)

        clawback = refund(payer, "100", payment_id=8)

        assert clawback is not None
        assert (clawback.commission, clawback.amount) == (None, 0)
        assert balances(referrer)[0] == D("9.68")


class TestTheDatabase:
    @pytest.mark.parametrize(
        "change",
        [
            {"amount": D("9.69")},
            {"amount": D(0)},
            {"taken_back": D("9.69")},
            {"taken_back": D(-1)},
        ],
    )
    def test_it_refuses_more_than_the_rate_and_more_back_than_earned(self, payer, change):
        pay(payer)

        with pytest.raises(IntegrityError), transaction.atomic():
            Commission.objects.update(**change)
