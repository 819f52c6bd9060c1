"""The pages of people and of what they were told that are looked at in a browser."""

from datetime import UTC, datetime

from accounts.models import NotificationLevel, User
from tests.factories.notifications import make_notification
from tests.web.pages import PageCase

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


PAGES = [
    PageCase("notifications", _notifications),
    PageCase("notifications-many", _many_notifications),
    PageCase("notifications-empty", _no_notifications),
]
