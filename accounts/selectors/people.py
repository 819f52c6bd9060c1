"""Reading about people."""

from accounts.models import User


def active_count() -> int:
    """Return how many people may sign in."""
    return User.objects.filter(is_active=True).count()


def count_operators() -> int:
    """Return how many people may act as operators."""
    return User.objects.filter(is_active=True, is_staff=True).count()


def find_by_email(email: str) -> User | None:
    """Return the person with this address, None if there is nobody."""
    return User.objects.filter(email__iexact=email.strip()).first()
