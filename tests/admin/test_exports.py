"""Lists that operators take away as CSV."""

import pytest
from django.urls import reverse

from foundation.models import AuditEntry
from tests.factories.accounts import make_operator, make_person, sign_in_operator

pytestmark = pytest.mark.django_db


class TestExport:
    def test_people_are_taken_away_without_secrets_and_on_record(self, client):
        operator = sign_in_operator(client)
        person = make_person(display_name="=1+1")

        answer = client.post(
            reverse("admin:accounts_user_changelist"),
            {"action": "export_csv", "_selected_action": [person.pk, operator.pk]},
        )

        text = b"".join(answer.streaming_content).decode()
        header, *lines = text.splitlines()
        assert header.startswith("public_id,email,display_name")
        assert len(lines) == 2
        assert "'=1+1" in text
        assert person.password not in text
        entry = AuditEntry.objects.get(verb="list.exported")
        assert entry.target_kind == "accounts.user"
        assert entry.detail["rows"] == 2
        assert "password" not in entry.detail["columns"]

    def test_those_who_may_not_look_take_nothing(self, client):
        helper = make_person("helper@example.com", is_staff=True)
        sign_in_operator(client, helper)

        answer = client.post(
            reverse("admin:accounts_user_changelist"),
            {"action": "export_csv", "_selected_action": [make_operator("x@example.com").pk]},
        )

        assert answer.status_code == 403
        assert not AuditEntry.objects.filter(verb="list.exported").exists()
