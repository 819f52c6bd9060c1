"""The tables of people: who they are, how they prove it, and what we told them."""

from accounts.models.mails import Mail, MailKind
from accounts.models.notifications import Notification, NotificationKind, NotificationLevel
from accounts.models.people import Theme, User, UserManager
from accounts.models.tokens import PersonalToken, RefreshFamily, TokenScope

__all__ = (
    "Mail",
    "MailKind",
    "Notification",
    "NotificationKind",
    "NotificationLevel",
    "PersonalToken",
    "RefreshFamily",
    "Theme",
    "TokenScope",
    "User",
    "UserManager",
)
