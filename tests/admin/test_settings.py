"""Settings of the site that really save."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.urls import reverse

from foundation import site_settings
from foundation.audit import Actor
from foundation.models import AuditEntry
from foundation.site_settings import InvalidSettingsError, SettingsChangedMeanwhileError
from tests.factories.accounts import make_person, sign_in_operator

BY = Actor.system("test")
HOSTILE = "<script>alert(1)</script>"


def form_values(client: Any) -> dict[str, str]:
    """Return what a browser would send back of the form as it is shown."""
    shown = client.get(reverse("admin:constance_constance_changelist"))
    assert shown.status_code == 200
    form = shown.context["form"]
    values = {name: form[name].value() for name in form.fields}
    return {
        name: value for name, value in values.items() if value is not None and value is not False
    }


def send(client: Any, **changes: Any) -> Any:
    """Send the form with *changes*; None leaves a box empty."""
    values = form_values(client) | changes
    sent = {name: value for name, value in values.items() if value is not None}
    return client.post(reverse("admin:constance_constance_changelist"), sent)


@pytest.mark.django_db
class TestForm:
    def test_a_change_is_shown_everywhere_and_on_record(self, client):
        operator = sign_in_operator(client)

        answer = send(client, site_name="Harbor", announcement="Back at noon.")

        assert answer.status_code == 302
        page = client.get("/strategies/").text
        assert "<title>Strategies · Harbor</title>" in page
        assert "Back at noon." in page
        assert "Harbor" in client.get(reverse("admin:index")).text
        details = list(
            AuditEntry.objects.filter(verb="site_setting.changed").values_list("detail", flat=True)
        )
        assert {"setting": "site_name", "old": "Trading Platform", "new": "Harbor"} in details
        assert len(details) == 2
        actors = AuditEntry.objects.filter(verb="site_setting.changed")
        assert {entry.actor_identifier for entry in actors} == {str(operator.pk)}

    def test_strangers_see_the_announcement_as_text(self, client):
        site_settings.change_settings(
            replace(site_settings.current(), announcement=HOSTILE, site_name=HOSTILE), by=BY
        )

        page = client.get("/").text

        assert HOSTILE not in page
        assert "&lt;script&gt;" in page

    def test_nothing_changed_leaves_no_trace(self, client):
        sign_in_operator(client)

        send(client)

        assert not AuditEntry.objects.filter(verb="site_setting.changed").exists()

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("site_name", "x" * 61, "At most 60 characters fit"),
            ("site_name", "   ", "required"),
            ("support_email", "nobody", "not an e-mail address"),
            ("mail_from_name", "a\u2028b", "ordinary characters"),
            ("maximum_people", "-1", "Use a number from 0"),
            ("maximum_people", "many", "Enter a whole number"),
            ("announcement", "x" * 301, "At most 300 characters fit"),
        ],
    )
    def test_what_cannot_hold_is_told_beside_the_field(self, client, field, value, words):
        sign_in_operator(client)
        before = site_settings.current()

        answer = send(client, **{field: value})

        assert answer.status_code == 200
        assert words in str(answer.context["form"].errors[field])
        assert words in answer.text
        assert site_settings.current() == before

    def test_of_two_operators_the_slower_one_looks_again(self, client):
        sign_in_operator(client)
        stale = form_values(client)
        send(client, site_name="Quicker")

        answer = client.post(
            reverse("admin:constance_constance_changelist"), stale | {"site_name": "Slower"}
        )

        assert "Somebody else has changed the settings" in answer.text
        assert site_settings.current().site_name == "Quicker"

    def test_staff_need_the_permission(self, client):
        helper = make_person("helper@example.com", is_staff=True)
        sign_in_operator(client, helper)
        address = reverse("admin:constance_constance_changelist")
        assert client.get(address).status_code == 403
        assert client.post(address, {"site_name": "Mine"}).status_code == 403

        helper.user_permissions.add(Permission.objects.get(codename="change_config"))

        assert send(client, site_name="Ours").status_code == 302

    def test_people_find_nothing(self, client):
        client.force_login(make_person())

        answer = client.get(reverse("admin:constance_constance_changelist"))

        assert answer.status_code in {302, 403, 404}


@pytest.mark.django_db
class TestSignUp:
    def test_a_closed_door_is_closed(self, client):
        site_settings.change_settings(replace(site_settings.current(), sign_up_open=False), by=BY)

        shown = client.get("/accounts/signup/").text

        assert 'name="password1"' not in shown

    def test_a_full_house_takes_nobody(self, client):
        make_person()
        site_settings.change_settings(replace(site_settings.current(), maximum_people=1), by=BY)

        assert 'name="password1"' not in client.get("/accounts/signup/").text

        site_settings.change_settings(replace(site_settings.current(), maximum_people=2), by=BY)

        assert 'name="password1"' in client.get("/accounts/signup/").text


class TestProcesses:
    @pytest.mark.django_db(transaction=True)
    def test_another_connection_sees_a_change_at_once(self):
        def read() -> str:
            try:
                return site_settings.current().site_name
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=1) as elsewhere:
            before = elsewhere.submit(read).result()
            site_settings.change_settings(
                replace(site_settings.current(), site_name="Changed here"), by=BY
            )
            after = elsewhere.submit(read).result()

        assert (before, after) == ("Trading Platform", "Changed here")

    @pytest.mark.django_db(transaction=True)
    def test_of_eight_changes_at_the_same_time_one_wins(self):
        seen = site_settings.current()

        def change(number: int) -> bool:
            try:
                site_settings.change_settings(
                    replace(seen, site_name=f"Name {number}"), seen_stamp=seen.stamp, by=BY
                )
            except SettingsChangedMeanwhileError:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(max_workers=8) as threads:
            won = list(threads.map(change, range(8)))

        assert won.count(True) == 1
        assert AuditEntry.objects.filter(verb="site_setting.changed").count() == 1

    @pytest.mark.django_db
    def test_the_service_refuses_what_a_form_would(self):
        with pytest.raises(InvalidSettingsError) as caught:
            site_settings.change_settings(
                replace(site_settings.current(), site_name="", maximum_people=-1), by=BY
            )

        assert [problem.field for problem in caught.value.problems] == [
            "site_name",
            "maximum_people",
        ]

    def test_defaults_need_no_database(self):
        assert re.fullmatch(r"[\w ]+", site_settings.defaults().site_name)
