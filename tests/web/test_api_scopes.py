"""Who may call which address of the API: every route, as a stranger and with tokens made for other things."""

from collections.abc import Iterator

import pytest
from django.core.checks import run_checks
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from rest_framework.views import APIView

from accounts.models import TokenScope
from accounts.services import personal_tokens
from foundation.audit import Actor
from foundation.checks import api_views, every_view_declares_its_scope
from foundation.scopes import ANYBODY, PERSON, scope_of
from tests.factories.accounts import make_person

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Something for every kind of argument in an address.
ARGUMENTS = {
    "uuid": "0f0f0f0f-0000-4000-8000-000000000000",
    "slug": "ema-crossover",
    "str": "x",
    "int": "1",
}


def calls() -> Iterator[tuple[str, str, type[APIView]]]:
    """Yield method, address and view of everything that the API offers."""
    for route, view in api_views():
        for method in METHODS:
            if hasattr(view, method.lower()):
                yield method, address_of(route), view


def address_of(route: str) -> str:
    """Return an address for *route*, with something made up for each argument."""
    parts = [
        ARGUMENTS[part[1:].split(":")[0]] if part.startswith("<") else part
        for part in route.replace("<", "\0<").replace(">", "\0").split("\0")
    ]
    return "/" + "".join(parts)


CALLS = sorted(calls(), key=lambda call: (call[1], call[0]))
GUARDED = [call for call in CALLS if scope_of(call[2], call[0]) != ANYBODY]


def ids(call: tuple[str, str, type[APIView]]) -> str:
    return f"{call[0]} {call[1]}"


def token_with(*scopes: str) -> str:
    person = make_person()
    _, text = personal_tokens.create_token(
        owner=person,
        name="Robot",
        scopes=scopes,
        expires_in_days=1,
        by=Actor.person(person.pk),
        now=timezone.now(),
    )
    return text


def send(method: str, url: str, token: str = ""):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Client().generic(method, url, "{}", content_type="application/json", headers=headers)


def test_the_walk_sees_the_api():
    assert len(CALLS) > 40
    assert all("\0" not in url and "<" not in url for _, url, _ in CALLS)


@pytest.mark.django_db
@pytest.mark.parametrize("call", GUARDED, ids=ids)
class TestEveryRoute:
    def test_a_stranger_is_401(self, call):
        method, url, _ = call

        response = send(method, url)

        assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
        assert response["WWW-Authenticate"].startswith("Bearer")
        assert response["Content-Type"] == "application/problem+json"

    def test_a_token_made_for_something_else_is_403(self, call):
        method, url, view = call
        scope = scope_of(view, method)
        wanted = {scope} if isinstance(scope, str) else set(scope or ())
        others = [each for each in TokenScope.values if each not in wanted]

        response = send(method, url, token_with(*others))

        assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")

    def test_a_token_with_the_scope_comes_past_the_door(self, call):
        method, url, view = call
        scope = scope_of(view, method)
        if scope is PERSON:
            # No token opens these: the test before has tried with all scopes.
            return
        wanted = (scope,) if isinstance(scope, str) else scope

        assert send(method, url, token_with(*wanted)).status_code not in {401, 403, 500}


class Undeclared(APIView):
    def get(self, request):
        """Never called."""


class HalfDeclared(APIView):
    required_scope = {"GET": ANYBODY}

    def get(self, request):
        """Never called."""

    def post(self, request):
        """Never called."""


urlpatterns = [
    path(
        "api/v1/", include([path("half", HalfDeclared.as_view()), path("x", Undeclared.as_view())])
    )
]


class TestTheCheckAtTheStart:
    def test_all_our_views_declare_their_scope(self):
        assert every_view_declares_its_scope() == []
        assert [each for each in run_checks() if each.id == "foundation.E010"] == []

    def test_a_view_that_does_not_keeps_the_platform_from_starting(self, settings):
        settings.ROOT_URLCONF = __name__

        messages = [each.msg for each in every_view_declares_its_scope()]

        assert [text.rpartition("/")[2] for text in messages] == [
            "half declares no scope for POST.",
            "x declares no scope for GET.",
        ]

    def test_a_view_that_does_not_lets_no_token_through(self):
        assert scope_of(Undeclared, "GET") is PERSON
