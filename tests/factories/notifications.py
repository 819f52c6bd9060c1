"""What people were told."""

from typing import Any

from accounts.models import Notification, NotificationKind, NotificationLevel, User


def make_notification(owner: User, key: str = "a-cause", **fields: Any) -> Notification:
    """Return an unread notification that leads to the exchange accounts."""
    defaults: dict[str, Any] = {
        "kind": NotificationKind.KEY_INVALID,
        "level": NotificationLevel.PROBLEM,
        "title": "The key of “Main” was refused",
        "body": "The exchange does not accept this key.",
        "path": "/exchange-accounts/",
    }
    return Notification.objects.create(owner=owner, key=key, **(defaults | fields))
