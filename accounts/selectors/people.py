"""Reading about people."""

from accounts.models import User


def active_count() -> int:
    """Return how many people may sign in."""
    return User.objects.filter(is_active=True).count()
