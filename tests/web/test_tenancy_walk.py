"""Nobody finds what is somebody else's: every address is tried as another person and as a stranger."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver, path, reverse
from django.urls.converters import UUIDConverter

from accounts.models import User
from tests.factories.accounts import make_person
from tests.web.owned_objects import Factory, all_owned_objects, factory_of

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
#: Addresses that answer strangers, by name; the metrics ask for a token of their own.
PUBLIC = {
    "web:home",
    "web:healthz",
    "web:metrics",
    "web:readyz",
    "kept-mails:list",
    "api-docs",
    "api-schema",
    "accounts-api:forgot-password",
    "accounts-api:refresh-tokens",
    "accounts-api:register",
    "accounts-api:resend-verification",
    "accounts-api:reset-password",
    "accounts-api:revoke-tokens",
    "accounts-api:tokens",
    "accounts-api:verify-email",
    "account_login",
    "account_signup",
    "account_inactive",
    "account_logout",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_confirm_login_code",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "accounts:send-link",
    "billing:plans",
}
#: The operators' pages have rules of their own, and their own tests.
OUTSIDE = {"admin"}


@dataclass(frozen=True, slots=True)
class Address:
    """A named address and the arguments that it takes."""

    name: str
    arguments: frozenset[str]
    identifiers: frozenset[str]
    is_api: bool


def addresses(
    resolver: URLResolver, prefix: str = "", path: str = "", taken: frozenset[str] = frozenset()
) -> Iterator[Address]:
    """Yield every named address below *resolver*; *taken* are the identifiers in the path so far."""
    for entry in resolver.url_patterns:
        converters = entry.pattern.converters
        identifiers = taken | {k for k, v in converters.items() if isinstance(v, UUIDConverter)}
        where = path + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if entry.namespace in OUTSIDE:
                continue
            below = f"{prefix}{entry.namespace}:" if entry.namespace else prefix
            yield from addresses(entry, below, where, identifiers)
        elif entry.name:
            arguments = identifiers | set(entry.pattern.regex.groupindex)
            yield Address(f"{prefix}{entry.name}", arguments, identifiers, where.startswith("api/"))


WALK = sorted(addresses(get_resolver()), key=lambda address: address.name)
OWNED = [address for address in WALK if address.identifiers]
PLAIN = [address for address in WALK if not address.arguments and address.name not in PUBLIC]


def ask(client: Client, method: str, url: str) -> HttpResponse:
    """Send an empty request, as JSON where it has a body."""
    return getattr(client, method)(url, content_type="application/json")  # type: ignore[no-any-return]  # chosen by name


@pytest.mark.parametrize("address", OWNED, ids=lambda address: address.name)
class TestSomebodyElses:
    def test_another_person_finds_nothing(self, address: Address):
        url = self._url(address)
        stranger = Client(raise_request_exception=False)
        stranger.force_login(make_person("mallory@example.com"))

        answers = {method: ask(stranger, method, url).status_code for method in METHODS}

        wrong = {
            method: status
            for method, status in answers.items()
            if status not in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
            and not (method == "options" and address.is_api)
        }
        assert wrong == {}
        assert HTTPStatus.NOT_FOUND in answers.values()

    def test_nobody_signed_in_is_sent_to_sign_in(self, address: Address):
        url = self._url(address)

        for method in METHODS:
            assert_turned_away(ask(Client(), method, url), is_api=address.is_api)

    def _url(self, address: Address) -> str:
        factory = factory_of(address.name, all_owned_objects())
        assert factory is not None, (
            f"{address.name} names a row of a person: add a factory for it to OWNED_OBJECTS"
        )
        return reverse(address.name, kwargs=dict(factory(make_person("owner@example.com"))))


@pytest.mark.parametrize("address", PLAIN, ids=lambda address: address.name)
def test_a_page_without_arguments_is_private_too(address: Address):
    assert_turned_away(ask(Client(), "get", reverse(address.name)), is_api=address.is_api)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_what_is_public_exists(name: str):
    assert name in {address.name for address in WALK}


def assert_turned_away(response: HttpResponse, *, is_api: bool) -> None:
    """Fail unless a stranger was refused: pages lead to sign-in, the API says 401."""
    if is_api:
        assert response.status_code == HTTPStatus.UNAUTHORIZED
    else:
        assert response.status_code == HTTPStatus.FOUND
        assert response["Location"].startswith("/accounts/login/")


def _view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class TestTheWalkItself:
    def test_it_sees_identifiers_wherever_they_are(self):
        inner = [path("<uuid:order_id>/", _view, name="order"), path("", _view, name="list")]
        outer = URLResolver(
            path("deployments/<uuid:public_id>/", _view).pattern, inner, namespace="trading"
        )
        root = URLResolver(path("", _view).pattern, [outer])

        found = {address.name: address.identifiers for address in addresses(root)}

        assert found == {
            "trading:order": {"public_id", "order_id"},
            "trading:list": {"public_id"},
        }

    def test_a_factory_is_found_by_name_before_namespace(self):
        def by_name(owner: User) -> dict[str, UUID]:
            return {}

        def by_namespace(owner: User) -> dict[str, UUID]:
            return {}

        factories: dict[str, Factory] = {"trading": by_namespace, "trading:order": by_name}

        assert factory_of("trading:order", factories) is by_name
        assert factory_of("trading:detail", factories) is by_namespace
        assert factory_of("exchanges:detail", factories) is None
