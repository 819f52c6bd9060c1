"""Reading what proves a person beside their password."""

from collections.abc import Sequence

from allauth.mfa.models import Authenticator

from accounts.models import User


def authenticators_of(owner: User) -> Sequence[Authenticator]:
    """Return the second factors of *owner*, recovery codes included."""
    return list(Authenticator.objects.filter(user=owner).order_by("pk"))
