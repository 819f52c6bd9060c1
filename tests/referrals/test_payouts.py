"""Payouts: asked for, sent and rejected."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Mail, MailKind, Notification, User
from billing.domain.accounts import AccountCode
from billing.selectors import ledger
from foundation.audit import Actor
from foundation.models import AuditEntry
from market.errors import PlatformError
from referrals.domain.payouts import PayoutClosedError, PayoutStatus, advance
from referrals.models import Payout
from referrals.selectors.payouts import PayoutNotFoundError
from referrals.services import commissions, payouts
from referrals.services.payouts import BelowMinimumError, InvalidPayoutError, PayoutOpenError
from tests.billing.races import together
from tests.factories.accounts import make_person
from tests.factories.referrals import (
    OPERATOR,
    PAYABLE_AT,
    ask,
    bring,
    earn,
    make_referrer,
    pay,
)

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def referrer(db: None) -> User:
    return make_referrer()


def books(referrer: User) -> dict[str, Decimal]:
    """Return what a payout moves: payable, on its way, and cash."""
    assert ledger.trial_balance().is_balanced
    return {
        "payable": ledger.balance(
            account=AccountCode.COMMISSION_PAYABLE, currency="USD", owner_id=referrer.pk
        ),
        "clearing": ledger.balance(account=AccountCode.PAYOUT_CLEARING, currency="USD"),
        "cash": ledger.balance(account=AccountCode.CASH, currency="USD"),
    }


def send(payout: Payout, reference: str = "TR-1") -> Payout:
    return payouts.send_payout(
        payout_id=payout.pk, reference=reference, by=OPERATOR, now=PAYABLE_AT
    )


def reject(payout: Payout, note: str = "The account does not exist.") -> Payout:
    return payouts.reject_payout(payout_id=payout.pk, note=note, by=OPERATOR, now=PAYABLE_AT)


class TestRequest:
    def test_it_takes_all_that_is_payable(self, referrer):
        earn(referrer, "500")
        earn(referrer, "300")
        earn(referrer, "900", is_payable=False)

        payout = ask(referrer)

        assert (payout.amount, payout.status) == (D(80), PayoutStatus.REQUESTED)
        assert books(referrer) == {"payable": 0, "clearing": D(80), "cash": 0}
        entry = AuditEntry.objects.get(verb="payout.requested")
        assert (entry.owner, entry.detail["amount"]) == (referrer, "80.00 USD")
        assert payout.destination not in str(entry.detail)

    @pytest.mark.parametrize(("net", "is_enough"), [("199.99", False), ("200", True)])
    def test_less_than_the_minimum_is_refused(self, referrer, net, is_enough):
        earn(referrer, net)

        if is_enough:
            assert ask(referrer).amount == D(20)
            return
        with pytest.raises(BelowMinimumError, match=r"19\.99 USD .* 20\.00 USD") as failure:
            ask(referrer)
        assert (failure.value.code, failure.value.status) == ("below_minimum_payout", 422)
        assert not Payout.objects.exists()

    def test_what_is_pending_is_not_paid_out(self, referrer):
        earn(referrer, is_payable=False)

        with pytest.raises(BelowMinimumError):
            ask(referrer)

    def test_nothing_in_another_currency(self, referrer):
        earn(referrer)

        with pytest.raises(BelowMinimumError):
            ask(referrer, currency="EUR")

    def test_somebody_without_a_code_has_nothing(self):
        with pytest.raises(BelowMinimumError):
            ask(make_person())

    def test_a_debt_is_not_paid_out(self, referrer):
        commission = earn(referrer, "500")
        send(ask(referrer))
        commissions.take_back(
            refund_id=1,
            payment_id=commission.payment_id,
            referred_id=commission.attribution.referred_id,
            currency="USD",
            total_refunded=D(500),
            refunded_at=PAYABLE_AT,
        )
        earn(referrer, "600")

        with pytest.raises(BelowMinimumError, match=r"10\.00 USD"):
            ask(referrer)

    def test_one_at_a_time(self, referrer):
        earn(referrer)
        ask(referrer)
        earn(referrer)

        with pytest.raises(PayoutOpenError) as failure:
            ask(referrer)
        assert (failure.value.code, failure.value.status) == ("payout_open", 409)

    def test_one_for_each_currency(self, referrer):
        earn(referrer)
        earn(referrer, currency="EUR")

        assert [ask(referrer, currency=code).amount for code in ("USD", "EUR")] == [50, 50]

    def test_the_same_request_asks_once(self, referrer):
        earn(referrer)
        first = ask(referrer, request_key="a")
        send(first)

        assert ask(referrer, request_key="a") == first
        assert Payout.objects.count() == 1

    @pytest.mark.parametrize(
        ("method", "destination", "fields"),
        [
            ("CASH", "IBAN DE89", ["method"]),
            ("BANK", "", ["destination"]),
            ("BANK", "abc", ["destination"]),
            ("BANK", "x" * 201, ["destination"]),
            ("BANK", "IBAN\x00DE89", ["destination"]),
            ("", "\u202eIBAN DE89", ["method", "destination"]),
        ],
    )
    def test_every_problem_of_the_input_is_named(self, referrer, method, destination, fields):
        earn(referrer)

        with pytest.raises(InvalidPayoutError) as failure:
            payouts.request_payout(
                owner=referrer,
                currency="USD",
                method=method,
                destination=destination,
                by=Actor.person(referrer.pk),
                now=PAYABLE_AT,
            )
        assert [problem.field for problem in failure.value.problems] == fields


class TestDecide:
    def test_what_is_sent_leaves_the_cash(self, referrer):
        earn(referrer)

        payout = send(ask(referrer))

        assert (payout.status, payout.reference, payout.closed_at) == ("SENT", "TR-1", PAYABLE_AT)
        assert books(referrer) == {"payable": 0, "clearing": 0, "cash": D(-50)}
        entry = AuditEntry.objects.get(verb="payout.sent")
        assert (entry.actor_identifier, entry.detail["reference"]) == ("test-operator", "TR-1")

    def test_the_person_is_mailed_the_reference(self, referrer):
        earn(referrer)
        send(ask(referrer))

        mail = Mail.objects.get(kind=MailKind.PAYOUT_SENT)
        assert (mail.recipient, mail.facts["reference"]) == (referrer.email, "TR-1")
        assert "50.00 USD" in mail.facts["title"]

    def test_what_is_rejected_is_payable_again(self, referrer):
        earn(referrer)

        payout = reject(ask(referrer))

        assert (payout.status, payout.note) == ("REJECTED", "The account does not exist.")
        assert books(referrer) == {"payable": D(50), "clearing": 0, "cash": 0}
        assert Notification.objects.get(kind="PAYOUT_REJECTED").body == payout.note
        assert ask(referrer).amount == D(50)

    @pytest.mark.parametrize("first", [send, reject])
    @pytest.mark.parametrize("second", [send, reject])
    def test_it_is_decided_once(self, referrer, first, second):
        earn(referrer)
        payout = first(ask(referrer))
        before = books(referrer)

        with pytest.raises(PayoutClosedError):
            second(payout)
        assert books(referrer) == before

    @pytest.mark.parametrize("text", ["", "   ", "x" * 301, "a\x00b"])
    def test_reference_and_reason_are_needed(self, referrer, text):
        earn(referrer)
        payout = ask(referrer)

        for decide in (send, reject):
            with pytest.raises(InvalidPayoutError):
                decide(payout, text)
        payout.refresh_from_db()
        assert payout.status == PayoutStatus.REQUESTED

    def test_what_does_not_exist_is_not_found(self):
        with pytest.raises(PayoutNotFoundError):
            payouts.send_payout(payout_id=0, reference="x", by=OPERATOR, now=PAYABLE_AT)

    @pytest.mark.parametrize("current", PayoutStatus)
    @pytest.mark.parametrize("to", PayoutStatus)
    def test_the_table_of_states_cell_by_cell(self, current, to):
        is_allowed = current == PayoutStatus.REQUESTED and to != PayoutStatus.REQUESTED

        if is_allowed:
            assert advance(current, to) == to
        else:
            with pytest.raises(PayoutClosedError):
                advance(current, to)


class TestTheDatabase:
    def test_it_refuses_two_open_payouts(self, referrer):
        earn(referrer)
        payout = ask(referrer)
        copied = ("owner", "currency", "amount", "method", "destination", "requested_at")

        with pytest.raises(IntegrityError), transaction.atomic():
            Payout.objects.create(**{name: getattr(payout, name) for name in copied})

    def test_it_refuses_a_sent_payout_without_reference(self, referrer):
        earn(referrer)
        ask(referrer)

        with pytest.raises(IntegrityError), transaction.atomic():
            Payout.objects.update(status="SENT", closed_at=PAYABLE_AT)


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    def test_of_32_requests_one_finds_the_money(self):
        referrer = make_referrer()
        earn(referrer)

        results = together([lambda: ask(referrer)] * 32)

        refused = [result for result in results if isinstance(result, PlatformError)]
        assert {type(error) for error in refused} == {PayoutOpenError}
        assert len(refused) == 31
        assert books(referrer) == {"payable": 0, "clearing": D(50), "cash": 0}

    def test_of_many_decisions_one_counts(self):
        referrer = make_referrer()
        earn(referrer)
        payout = ask(referrer)

        results = together([lambda: send(payout), lambda: reject(payout)] * 4)

        assert sum(isinstance(result, Payout) for result in results) == 1
        assert sum(books(referrer).values()) in {D(-50), D(50)}
        assert books(referrer)["clearing"] == 0

    def test_a_refund_beside_a_request_never_pays_too_much(self):
        referrer = make_referrer()
        commission = earn(referrer)

        def refund():
            return commissions.take_back(
                refund_id=1,
                payment_id=commission.payment_id,
                referred_id=commission.attribution.referred_id,
                currency="USD",
                total_refunded=D(500),
                refunded_at=PAYABLE_AT,
            )

        results = together([lambda: ask(referrer), refund])

        was_asked = isinstance(results[0], Payout)
        assert books(referrer)["payable"] == (D(-50) if was_asked else 0)

    def test_many_deliveries_of_a_payment_and_its_refund_count_once(self):
        referrer = make_referrer()
        payer = bring(referrer)

        def refund():
            return commissions.take_back(
                refund_id=1,
                payment_id=9,
                referred_id=payer.pk,
                currency="USD",
                total_refunded=D(50),
                refunded_at=PAYABLE_AT,
            )

        together([lambda: pay(payer, "100", payment_id=9), refund] * 8)

        pending = ledger.balance(
            account=AccountCode.COMMISSION_PENDING, currency="USD", owner_id=referrer.pk
        )
        assert pending == D(5)
