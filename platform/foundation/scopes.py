"""What each address of the API asks of whoever calls it; an address that does not say so does not start.

Every view has ``required_scope``: a scope in words (``"read:account"``), several of which one is enough (a
tuple, where the exact one depends on the object: the view then calls :func:`require`), ``PERSON`` for what only
the person does (never a token made for a program), or ``ANYBODY``. A mapping from methods to these says it by
method.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from market.errors import ForbiddenError

if TYPE_CHECKING:
    # The framework imports this module while it makes that class.
    from rest_framework.views import APIView

#: Signed in as oneself, by a page or by a program that proved the second factor.
PERSON: Final = None
#: No proof at all, such as signing up.
ANYBODY: Final = "anybody"

Scope = str | tuple[str, ...] | None


class ScopeError(ForbiddenError):
    """The token is good, and was not made for this."""

    code = "insufficient_scope"

    def __init__(self, scope: Scope) -> None:
        names = (scope,) if isinstance(scope, str) else scope
        super().__init__(
            f"Needs {' or '.join(names)}."
            if names
            else "A personal token may not do this; sign in instead."
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """What a personal token was made for: it stands in ``request.auth``. *key* names the token."""

    key: str
    scopes: frozenset[str]


class HasScope(BasePermission):
    """Lets through who has the scope that the view declares; a view that declares none lets nobody through."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Tell strangers from people, and raise ScopeError for a token made for something else."""
        scope = scope_of(view, str(request.method))
        if scope == ANYBODY:
            return True
        if not request.user.is_authenticated:
            return False
        require(request, scope)
        return True


def require(request: Request, scope: Scope) -> None:
    """Raise ScopeError if a token without *scope* calls; a person who is signed in may do everything."""
    grant = request.auth
    if not isinstance(grant, Grant):
        return
    wanted = (scope,) if isinstance(scope, str) else scope
    if not wanted or grant.scopes.isdisjoint(wanted):
        raise ScopeError(scope)


def scope_of(view: "APIView | type[APIView]", method: str) -> Scope:
    """Return what *view* asks of a call by *method*; OPTIONS and HEAD are like GET, or PERSON without one."""
    declared = getattr(view, "required_scope", PERSON)
    if not isinstance(declared, Mapping):
        return cast(Scope, declared)
    return cast(Scope, declared.get("GET" if method in {"HEAD", "OPTIONS"} else method, PERSON))
