"""Who was brought by whom: from the link to the sign-up."""

import secrets
from datetime import timedelta
from functools import partial

import pytest
from django.conf import settings
from django.db import IntegrityError, InternalError, ProgrammingError, transaction
from django.test import Client

from accounts.models import User
from foundation.models import AuditEntry, OutboxEvent
from referrals.models import Attribution, ReferralCode
from referrals.services import attributions, codes, hints
from tests.billing.races import together
from tests.factories.accounts import PASSWORD, make_person
from tests.factories.referrals import (
    SIGNED_UP_AT,
    attribute,
    bring,
    code_of,
    deliver,
    make_referrer,
)

pytestmark = pytest.mark.django_db

SIGN_UP = "/accounts/signup/"
COOKIE = settings.SIGN_UP_HINT_COOKIE


@pytest.fixture
def referrer(db: None) -> User:
    return make_referrer()


def follow(client: Client, code: str):
    return client.get(f"/r/{code}/")


def sign_up(client: Client, email: str = "new@example.com") -> User:
    """Sign up through the page, and deliver what that tells."""
    client.post(SIGN_UP, {"email": email, "password1": PASSWORD, "password2": PASSWORD})
    person = User.objects.get(email=email)
    deliver(OutboxEvent.objects.get(name="accounts.person-registered", owner=person))
    return person


class TestCode:
    def test_everybody_gets_one_of_clear_letters_and_keeps_it(self):
        person = make_person()

        first, second = (codes.ensure_code(owner_id=person.pk) for _ in range(2))

        assert first == second
        assert len(first.code) == 8
        assert not set(first.code) & set("0O1I")

    def test_who_signs_up_gets_one(self, client):
        person = sign_up(client)

        assert ReferralCode.objects.filter(owner=person).exists()

    def test_a_code_that_is_taken_is_made_anew(self, referrer, monkeypatch):
        person = make_person("b@example.com")
        drawn = iter(code_of(referrer) + "ABCDEFGH")
        monkeypatch.setattr(secrets, "choice", lambda letters: next(drawn))

        assert codes.ensure_code(owner_id=person.pk).code == "ABCDEFGH"


class TestLink:
    @pytest.mark.parametrize("spelling", [str.upper, str.lower])
    def test_it_leads_to_sign_up_and_remembers_the_code(self, client, referrer, spelling):
        response = follow(client, spelling(code_of(referrer)))

        assert (response.status_code, response.url) == (302, SIGN_UP)
        cookie = response.cookies[COOKIE]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
        assert cookie["max-age"] == 30 * 86_400
        assert response["Cache-Control"].startswith("max-age=0")
        read = hints.read_hint(cookie.value)
        assert read is not None
        assert read.code == code_of(referrer)

    @pytest.mark.parametrize("code", ["NOBODYS1", "x", "a" * 300, "a-b_c"])
    def test_an_unknown_code_leads_to_the_same_page_and_leaves_nothing(self, client, code):
        response = follow(client, code)

        assert (response.status_code, response.url) == (302, SIGN_UP)
        assert COOKIE not in response.cookies

    def test_a_deactivated_person_brings_nobody(self, client, referrer):
        User.objects.filter(pk=referrer.pk).update(is_active=False)

        assert COOKIE not in follow(client, code_of(referrer)).cookies

    def test_the_first_link_counts(self, client, referrer):
        other = make_referrer("other@example.com")

        follow(client, code_of(referrer))
        again = follow(client, code_of(other))

        assert COOKIE not in again.cookies
        assert Attribution.objects.filter(referred=sign_up(client), owner=referrer).exists()

    def test_after_the_window_another_link_counts(self, client, referrer):
        other = make_referrer("other@example.com")
        old = hints.make_hint(code=code_of(other), now=SIGNED_UP_AT - timedelta(days=31))
        client.cookies[COOKIE] = old

        assert COOKIE in follow(client, code_of(referrer)).cookies

    def test_who_is_signed_in_is_nobody_new(self, client, referrer):
        client.force_login(make_person("b@example.com"))

        assert COOKIE not in follow(client, code_of(referrer)).cookies

    @pytest.mark.parametrize("method", ["post", "put", "delete"])
    def test_it_is_only_followed(self, client, referrer, method):
        assert getattr(client, method)(f"/r/{code_of(referrer)}/").status_code == 405


class TestSignUp:
    def test_who_followed_a_link_was_brought_by_its_owner(self, client, referrer):
        follow(client, code_of(referrer))
        person = sign_up(client)

        attribution = Attribution.objects.get()
        assert (attribution.owner, attribution.referred) == (referrer, person)
        assert attribution.code == code_of(referrer)
        entry = AuditEntry.objects.get(verb="attribution.made")
        assert (entry.owner, entry.detail["referred"]) == (referrer, person.pk)

    def test_signing_up_by_the_api_counts_too(self, client, referrer):
        follow(client, code_of(referrer))

        answer = client.post(
            "/api/v1/auth/register",
            {"email": "new@example.com", "password": PASSWORD},
            content_type="application/json",
        )

        assert answer.status_code == 202
        deliver(OutboxEvent.objects.get(name="accounts.person-registered"))
        assert Attribution.objects.get().owner == referrer

    def test_who_came_by_themselves_was_brought_by_nobody(self, client):
        sign_up(client)

        assert not Attribution.objects.exists()

    @pytest.mark.parametrize(
        "cookie",
        ["", "x", "W10:1abc:forged", "\x00\x01", "é" * 20, "a" * 5_000, '["ABCDEFGH",1]'],
    )
    def test_what_is_no_hint_of_ours_changes_nothing(self, client, referrer, cookie):
        client.cookies[COOKIE] = cookie

        sign_up(client)

        assert not Attribution.objects.exists()

    def test_a_hint_cannot_be_moved_to_another_code(self, referrer):
        other = make_referrer("other@example.com")
        mine = hints.make_hint(code=code_of(referrer), now=SIGNED_UP_AT)
        theirs = hints.make_hint(code=code_of(other), now=SIGNED_UP_AT)
        mixed = ":".join([mine.split(":")[0], *theirs.split(":")[1:]])

        assert hints.read_hint(mixed) is None

    @pytest.mark.parametrize(("days", "counts"), [(30, True), (31, False)])
    def test_a_link_counts_for_the_window(self, referrer, days, counts):
        person = make_person("b@example.com")

        found = attribute(
            person, code_of(referrer), followed_at=SIGNED_UP_AT - timedelta(days=days)
        )

        assert (found is not None) == counts

    def test_a_clock_that_is_ahead_does_no_harm(self, referrer):
        person = make_person("b@example.com")

        found = attribute(
            person, code_of(referrer), followed_at=SIGNED_UP_AT + timedelta(seconds=3)
        )

        assert found is not None
        assert found.clicked_at == SIGNED_UP_AT

    def test_the_first_attribution_stays(self, referrer):
        other = make_referrer("other@example.com")
        person = bring(referrer)

        assert attribute(person, code_of(other)) == Attribution.objects.get(owner=referrer)

    def test_nobody_brings_themselves(self, referrer):
        assert attribute(referrer, code_of(referrer)) is None

    def test_a_circle_is_never_closed(self, referrer):
        second = bring(referrer)
        third = bring(second)

        assert attribute(referrer, code_of(third)) is None
        assert Attribution.objects.count() == 2

    def test_who_was_deactivated_meanwhile_gets_nobody(self, client, referrer):
        follow(client, code_of(referrer))
        User.objects.filter(pk=referrer.pk).update(is_active=False)

        sign_up(client)

        assert not Attribution.objects.exists()


class TestTheDatabase:
    def test_an_attribution_is_never_changed(self, referrer):
        bring(referrer)
        thief = make_referrer("thief@example.com")

        with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
            Attribution.objects.update(owner=thief)
        with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
            Attribution.objects.all().delete()

    def test_nobody_is_brought_twice_or_by_themselves(self, referrer):
        person = bring(referrer)
        row = {"code": "X", "clicked_at": SIGNED_UP_AT, "signed_up_at": SIGNED_UP_AT}

        for owner, referred in ((referrer, person), (referrer, referrer)):
            with pytest.raises(IntegrityError), transaction.atomic():
                Attribution.objects.create(owner=owner, referred=referred, **row)


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    def test_two_who_name_each_other_do_not_close_a_circle(self):
        people = [make_referrer("a@example.com"), make_referrer("b@example.com")]

        def name(person: User, other: User):
            hint = hints.make_hint(code=code_of(other), now=SIGNED_UP_AT)
            return lambda: attributions.attribute(
                referred_id=person.pk, hint=hint, signed_up_at=SIGNED_UP_AT
            )

        together([name(people[0], people[1]), name(people[1], people[0])])

        assert Attribution.objects.count() == 1

    def test_many_deliveries_attribute_once(self):
        first, second = make_referrer("a@example.com"), make_referrer("b@example.com")
        person = make_person("c@example.com")
        given = [
            hints.make_hint(code=code_of(owner), now=SIGNED_UP_AT) for owner in (first, second)
        ]

        results = together(
            [
                partial(
                    attributions.attribute,
                    referred_id=person.pk,
                    hint=given[number % 2],
                    signed_up_at=SIGNED_UP_AT,
                )
                for number in range(8)
            ]
        )

        assert Attribution.objects.count() == 1
        assert set(results) == {Attribution.objects.get()}
