"""The pages of people and of what they were told that are looked at in a browser."""

from datetime import UTC, datetime

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.utils import timezone

from accounts.models import NotificationLevel, PersonalToken, User
from accounts.services import personal_tokens
from foundation.audit import Actor
from tests.accounts.visits import signed_in
from tests.factories.accounts import give_second_factor
from tests.factories.notifications import make_notification
from tests.web.pages import PageCase, at

_PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604"

_READ_AT = datetime(2026, 11, 20, tzinfo=UTC)


def _notifications(person: User) -> str:
    make_notification(person, "a", level=NotificationLevel.INFO, path="", read_at=_READ_AT)
    make_notification(person, "b", level=NotificationLevel.WARNING, title="A stop is missing")
    make_notification(person, "c", title="W" * 120, body="w" * 500)
    return "/notifications/"


def _many_notifications(person: User) -> str:
    for number in range(120):
        make_notification(person, f"{number}")
    return "/notifications/"


def _no_notifications(person: User) -> str:
    return "/notifications/"


def _security(person: User) -> str:
    give_second_factor(person)
    return "/account/security/"


def _second_factor(person: User) -> str:
    give_second_factor(person)
    return "/accounts/2fa/"


def _sessions(person: User) -> str:
    for _ in range(3):
        signed_in(person)
    UserSession.objects.filter(user=person).update(
        user_agent=_PHONE, ip="2001:db8:85a3::8a2e:370:7334"
    )
    return "/account/sessions/"


def _token(person: User, name: str) -> PersonalToken:
    token, _ = personal_tokens.create_token(
        owner=person,
        name=name,
        scopes=["read:market", "read:account", "trade:paper"],
        expires_in_days=30,
        by=Actor.person(person.pk),
        now=timezone.now(),
    )
    return token


def _tokens(person: User) -> str:
    _token(person, "desk")
    revoked = _token(person, "W" * 80)
    personal_tokens.revoke_token(
        owner=person, public_id=revoked.public_id, by=Actor.person(person.pk), now=_READ_AT
    )
    return "/account/tokens/"


def _waiting_address(person: User) -> str:
    EmailAddress.objects.create(user=person, email=f"{'w' * 60}@{'w' * 60}.example.com")
    return "/accounts/email/"


PAGES = [
    PageCase("profile", at("/account/")),
    PageCase("security", _security),
    PageCase("security-bare", at("/account/security/")),
    PageCase("second-factor", _second_factor),
    PageCase("second-factor-off", at("/accounts/2fa/")),
    PageCase("second-factor-reauthenticate", at("/accounts/2fa/reauthenticate/")),
    PageCase("sessions", _sessions),
    PageCase("sessions-empty", at("/account/sessions/")),
    PageCase("tokens", _tokens),
    PageCase("tokens-empty", at("/account/tokens/")),
    PageCase("delete-account", at("/account/delete/")),
    PageCase("email-waiting", _waiting_address),
    PageCase("send-link", at("/account/verification/"), signed_in=False),
    PageCase("notifications", _notifications),
    PageCase("notifications-many", _many_notifications),
    PageCase("notifications-empty", _no_notifications),
]
