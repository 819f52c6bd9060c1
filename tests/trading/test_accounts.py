"""What a deployment does when its account's key stops working, and what is left of one that is closed."""

from decimal import Decimal

import pytest

from accounts.models import Notification
from exchanges.models import Balance, Credential
from exchanges.services import account_states, accounts
from foundation.audit import Actor
from foundation.crypto import SealedSecret
from market.errors import CredentialRejectedError, VenueUnavailableError
from tests.trading.telling import deliver_events
from trading.models import ActualState, Deployment, Fill, IntentStatus, Order
from trading.selectors import results

pytestmark = pytest.mark.django_db


def refuse(desk, *, times=1):
    """Let the venue refuse the key at so many reconciliations in a row."""
    for _ in range(times):
        desk.venue.next_question(raises=CredentialRejectedError())
        desk.later(11)
        desk.reconcile()
    deliver_events(now=desk.now)
    desk.deployment.refresh_from_db()
    desk.deployment.account.refresh_from_db()
    return desk.deployment


class TestRefusals:
    def test_the_third_in_a_row_keeps_deployments_from_opening_and_tells_the_person(self, desk):
        assert refuse(desk, times=2).account.status == "ACTIVE"
        assert not Notification.objects.filter(title__contains="was refused").exists()

        deployment = refuse(desk)

        assert deployment.account.status == "INVALID"
        assert deployment.health_code == "account_not_connected"
        assert Notification.objects.filter(title__contains="was refused").count() == 1
        intent = desk.decide(quantity=Decimal("0.1"))
        desk.submit()
        intent.refresh_from_db()
        assert (intent.status, intent.reason_code) == (
            IntentStatus.DENIED, "ACCOUNT_NOT_CONNECTED"
        )  # fmt: skip

    def test_an_answer_in_between_begins_the_count_anew(self, desk):
        for _ in range(2):
            refuse(desk, times=2)
            desk.later(11)
            desk.reconcile()

        desk.deployment.account.refresh_from_db()
        assert desk.deployment.account.authentication_failures == 0
        assert desk.deployment.account.status == "ACTIVE"

    def test_a_venue_that_is_away_refuses_nothing(self, desk):
        for _ in range(4):
            desk.venue.next_question(raises=VenueUnavailableError())
            desk.later(11)
            desk.reconcile()

        desk.deployment.account.refresh_from_db()
        assert desk.deployment.account.authentication_failures == 0

    def test_an_order_that_is_refused_for_its_key_counts_and_one_that_is_taken_ends_the_count(
        self, desk
    ):
        account = desk.deployment.account
        desk.venue.next_submit(rejects_with="credential_rejected")
        desk.enter()
        account.refresh_from_db()
        assert account.authentication_failures == 1

        desk.later(1)
        desk.enter()

        account.refresh_from_db()
        assert (account.status, account.authentication_failures) == ("ACTIVE", 0)

    def test_deployments_go_on_by_themselves_once_a_key_works_again(self, desk):
        deployment = refuse(desk, times=3)
        account = deployment.account
        account.refresh_from_db()
        account.status, account.connected_at = "ACTIVE", desk.now
        account.authentication_failures = 0
        account.save()

        desk.later(11)
        desk.reconcile()

        deployment.refresh_from_db()
        assert deployment.health == "OK"


def test_a_closed_account_forgets_its_key_and_keeps_orders_fills_and_results(desk):
    owner = desk.deployment.owner
    Credential.objects.create(
        owner=owner,
        account=desk.deployment.account,
        version=1,
        sealed_api_key=SealedSecret(b"sealed"),
        sealed_secret=SealedSecret(b"sealed"),
        last_four="0001",
    )
    desk.enter()
    desk.reconcile()
    before = (
        list(Order.objects.order_by("pk").values_list("pk", "status", "filled_quantity")),
        list(Fill.objects.order_by("pk").values_list("pk", "price", "quantity")),
        results.result_of(desk.deployment.positions.all()),
    )
    assert before[1]
    Deployment.objects.update(actual_state=ActualState.STOPPED)

    accounts.close_account(
        owner=owner,
        account_public_id=desk.deployment.account.public_id,
        by=Actor.person(owner.pk),
        now=desk.now,
    )

    credential = Credential.objects.get()
    assert bytes(credential.sealed_api_key) == bytes(credential.sealed_secret) == b""
    assert not Balance.objects.exists()
    # Even the row of the key may go: nothing that was traded points to it.
    credential.delete()
    after = (
        list(Order.objects.order_by("pk").values_list("pk", "status", "filled_quantity")),
        list(Fill.objects.order_by("pk").values_list("pk", "price", "quantity")),
        results.result_of(desk.deployment.positions.all()),
    )
    assert after == before


def test_a_refusal_that_comes_late_for_a_closed_account_changes_nothing(live_account, now):
    owner = live_account.owner
    accounts.close_account(
        owner=owner, account_public_id=live_account.public_id, by=Actor.person(owner.pk), now=now
    )

    for _ in range(3):
        account_states.note_refusal(
            account_id=live_account.pk, code="credential_rejected", message="No.", now=now
        )

    live_account.refresh_from_db()
    assert live_account.status == "ACTIVE"
    assert not live_account.is_usable
