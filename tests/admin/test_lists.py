"""Every list of the operators, with rows in it: it opens for them, offers no change by hand, and leaks nothing."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import User
from exchanges.models import Credential
from foundation.admin import ReadOnlyAdmin
from tests.admin.rows import CANARY, HOSTILE, make_rows
from tests.factories.accounts import SEED, make_person, sign_in_operator

pytestmark = pytest.mark.django_db

#: Tables whose list is another page, with tests of its own.
ELSEWHERE = {"constance.Constance"}
REGISTERED = [model for model in admin.site._registry if model._meta.label not in ELSEWHERE]


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_of(row: Model) -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return reverse(name, args=[row.pk])


def all_pages() -> Iterator[str]:
    """Yield the address of each list, of a search in it, and of its first row and the last."""
    for model in REGISTERED:
        yield list_of(model)
        if admin.site._registry[model].search_fields:
            yield f"{list_of(model)}?q=mallory+%27"
        rows = model._default_manager.order_by("pk")
        yield from dict.fromkeys(page_of(row) for row in (rows.first(), rows.last()) if row)


class TestEveryList:
    def test_it_opens_offers_no_change_shows_names_as_text_and_no_secret(self, client):
        person = make_rows()
        sign_in_operator(client)
        secrets = [CANARY, SEED, person.password, *sealed_values()]
        problems = []

        for address in all_pages():
            answer = client.get(address)
            text = answer.text
            if answer.status_code != 200:
                problems.append(f"{address}: status {answer.status_code}")
            if 'name="_save"' in text or "/delete/" in text:
                problems.append(f"{address}: offers a change by hand")
            if HOSTILE in text:
                problems.append(f"{address}: shows a name as markup")
            if any(secret in text for secret in secrets if secret):
                problems.append(f"{address}: shows a secret")

        assert problems == []

    def test_most_tables_have_rows_in_these_tests(self):
        make_rows()

        empty = {model._meta.label for model in REGISTERED if not model._default_manager.exists()}

        assert len(empty) < len(REGISTERED) / 3, empty

    def test_nobody_adds_or_deletes_by_hand(self, client):
        make_rows()
        sign_in_operator(client)
        problems = []

        for model in REGISTERED:
            adding = list_of(model) + "add/"
            if client.get(adding).status_code not in {403, 404}:
                problems.append(adding)
            row = model._default_manager.first()
            if row is not None and client.post(
                f"{list_of(model)}{row.pk}/delete/", {"post": "yes"}
            ).status_code not in {403, 404}:
                problems.append(f"{model} can be deleted")

        assert problems == []

    @pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
    def test_it_is_searchable_read_only_and_bounded(self, model: type[Model]):
        listing = admin.site._registry[model]

        assert isinstance(listing, ReadOnlyAdmin)
        assert listing.show_full_result_count is False
        assert listing.ordering


class TestWhoMayLook:
    def test_people_find_no_list(self, client):
        client.force_login(make_person())

        answers = {client.get(list_of(model)).status_code for model in REGISTERED}

        assert answers <= {302, 403, 404}

    def test_strangers_are_asked_to_sign_in(self, client):
        answer = client.get(list_of(User))

        assert answer.status_code == 302
        assert "login" in answer.url

    def test_staff_without_a_permission_see_no_rows(self, client):
        helper = make_person("helper@example.com", is_staff=True)
        sign_in_operator(client, helper)

        answers = {client.get(list_of(model)).status_code for model in REGISTERED}

        assert answers == {403}
        assert client.get(reverse("admin:index")).status_code == 200


def sealed_values() -> list[str]:
    """Return what is stored of secrets, as a careless page would write it."""
    found = []
    for credential in Credential.objects.all():
        for sealed in (credential.sealed_api_key, credential.sealed_secret):
            stored = bytes(sealed)
            if stored:
                found += [stored.hex()[:24], base64.b64encode(stored).decode()[:24]]
    for authenticator in Authenticator.objects.all():
        found += [str(value) for value in authenticator.data.values() if len(str(value)) > 10]
    return found


def test_a_list_counts_no_further_than_it_pages(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("foundation.admin.base._COUNTED_AT_MOST", 3)
    for number in range(5):
        make_person(f"person-{number}@example.com")
    sign_in_operator(client)

    shown = client.get(list_of(User))

    assert shown.context["cl"].result_count == 3


def test_instants_are_written_with_seconds_and_without_half_days(client: Client):
    person = make_person()
    User.objects.filter(pk=person.pk).update(
        last_login=datetime(2026, 11, 22, 13, 5, 9, tzinfo=UTC)
    )
    sign_in_operator(client)

    assert "22 Nov 2026, 13:05:09" in client.get(list_of(User)).text
