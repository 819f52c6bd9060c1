"""What operators see and do."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from foundation.models import AuditEntry
from referrals.models import Payout, ReferralCode
from tests.factories.accounts import make_person, sign_in_operator
from tests.factories.referrals import ask, bring, code_of, earn, make_referrer

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> User:
    return sign_in_operator(client)


def list_of(model: str) -> str:
    return reverse(f"admin:referrals_{model}_changelist")


def deed(client: Client, name: str, payout: Payout, **form: str):
    address = reverse("admin:referrals_payout_deed", args=[name])
    return client.post(f"{address}?ids={payout.pk}", form, follow=True)


class TestLists:
    def test_referrers_can_be_searched_and_sorted_by_what_they_brought(self, client, operator):
        first, second = make_referrer("a@example.com"), make_referrer("b@example.com")
        earn(first, "500")
        earn(first, "100", currency="EUR")
        for _ in range(3):
            bring(second)

        for column in (3, 4, 5, 6):
            assert client.get(f"{list_of('referralcode')}?o=-{column}").status_code == 200
        most = client.get(f"{list_of('referralcode')}?o=-3").text
        found = client.get(f"{list_of('referralcode')}?q={code_of(first)}").text

        assert most.index("b@example.com") < most.index("a@example.com")
        assert "10.00 EUR, 50.00 USD" in found
        assert "b@example.com" not in found

    def test_the_page_of_a_referrer_tells_where_the_money_is(self, client, operator):
        person = make_referrer()
        earn(person)
        row = reverse(
            "admin:referrals_referralcode_change", args=[ReferralCode.objects.get(owner=person).pk]
        )

        assert "pending 0.00 USD, payable 50.00 USD" in client.get(row).text

    @pytest.mark.parametrize("model", ["attribution", "commission", "clawback", "payout"])
    def test_the_other_lists_find_people_by_address(self, client, operator, model):
        commission = earn(make_referrer())
        ask(commission.owner)

        answer = client.get(f"{list_of(model)}?q=ada@&o=-1.2.3")

        assert answer.status_code == 200
        assert ("ada@example.com" in answer.text) == (model != "clawback")


class TestDeeds:
    def test_a_payout_is_marked_as_sent_with_its_reference(self, client, operator):
        person = make_referrer()
        earn(person)
        payout = ask(person)

        deed(client, "send", payout, reference="TR-9")

        payout.refresh_from_db()
        assert (payout.status, payout.reference) == ("SENT", "TR-9")
        entry = AuditEntry.objects.get(verb="payout.sent")
        assert entry.actor_identifier == str(operator.pk)

    def test_without_a_reference_nothing_happens(self, client, operator):
        person = make_referrer()
        earn(person)
        payout = ask(person)

        deed(client, "send", payout, reference="")

        payout.refresh_from_db()
        assert payout.status == "REQUESTED"

    def test_a_payout_is_rejected_with_a_reason(self, client, operator):
        person = make_referrer()
        earn(person)
        payout = ask(person)

        deed(client, "reject", payout, note="Unknown account")

        payout.refresh_from_db()
        assert (payout.status, payout.note) == ("REJECTED", "Unknown account")

    def test_what_was_decided_is_told_so(self, client, operator):
        person = make_referrer()
        earn(person)
        payout = ask(person)
        deed(client, "send", payout, reference="TR-9")

        response = deed(client, "reject", payout, note="Too late")

        assert "was sent already" in response.text
        payout.refresh_from_db()
        assert payout.status == "SENT"

    def test_the_deeds_are_offered_while_it_is_open(self, client, operator):
        person = make_referrer()
        earn(person)
        payout = ask(person)
        page = reverse("admin:referrals_payout_change", args=[payout.pk])

        assert "Mark as sent" in client.get(page).text
        deed(client, "send", payout, reference="TR-9")
        assert "Mark as sent" not in client.get(page).text

    def test_who_may_only_look_decides_nothing(self, client):
        person = make_referrer()
        earn(person)
        payout = ask(person)
        looker = make_person("looker@example.com", is_staff=True)
        looker.user_permissions.add(Permission.objects.get(codename="view_payout"))
        sign_in_operator(client, looker)

        assert deed(client, "send", payout, reference="TR-9").status_code == 403
        payout.refresh_from_db()
        assert payout.status == "REQUESTED"
