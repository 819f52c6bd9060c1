"""The operators' list of people, and what operators may do about one."""

from collections.abc import Mapping
from typing import Any, Final

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from accounts.models import User
from accounts.services import people
from foundation.admin import Deed, DeedAdmin
from foundation.admin.deeds import now
from foundation.audit import Actor

_PERMISSION: Final = "accounts.change_user"
Values = Mapping[str, Any]


def _deactivate(person: User, by: Actor, _: Values) -> None:
    people.deactivate_person(person_id=person.pk, by=by, now=now())


def _reactivate(person: User, by: Actor, _: Values) -> None:
    people.reactivate_person(person_id=person.pk, by=by, now=now())


def _grant_staff(person: User, by: Actor, _: Values) -> None:
    people.set_staff(person_id=person.pk, is_staff=True, by=by, now=now())


def _revoke_staff(person: User, by: Actor, _: Values) -> None:
    people.set_staff(person_id=person.pk, is_staff=False, by=by, now=now())


def _verify(person: User, by: Actor, _: Values) -> None:
    people.set_verified(person_id=person.pk, is_verified=True, by=by, now=now())


def _doubt(person: User, by: Actor, _: Values) -> None:
    people.set_verified(person_id=person.pk, is_verified=False, by=by, now=now())


def _sign_out(person: User, by: Actor, _: Values) -> None:
    people.end_all_sessions(person_id=person.pk, by=by, now=now())


DEEDS: Final = (
    Deed(
        name="deactivate",
        label="Deactivate",
        done="deactivated",
        text=(
            "They are signed out everywhere, their tokens end, and everything that trades for them is "
            "stopped the way they chose. Nothing is deleted."
        ),
        permission=_PERMISSION,
        perform=_deactivate,
        applies_to=lambda person: person.is_active,
        is_dangerous=True,
    ),
    Deed(
        name="reactivate",
        label="Reactivate",
        done="active again",
        text="They may sign in again. What was stopped stays stopped until they start it.",
        permission=_PERMISSION,
        perform=_reactivate,
        applies_to=lambda person: not person.is_active and person.erased_at is None,
    ),
    Deed(
        name="grant-staff",
        label="Make an operator",
        done="an operator now",
        text="They may do everything that you can do here, after their second factor.",
        permission=_PERMISSION,
        perform=_grant_staff,
        applies_to=lambda person: person.is_active and not person.is_staff,
        is_dangerous=True,
    ),
    Deed(
        name="revoke-staff",
        label="Take operator rights",
        done="no operator any more",
        text="They are signed out and keep an ordinary account. The last operator keeps the rights.",
        permission=_PERMISSION,
        perform=_revoke_staff,
        applies_to=lambda person: person.is_staff,
        is_dangerous=True,
    ),
    Deed(
        name="verify",
        label="Mark as verified",
        done="verified",
        text="Their address counts as proven without a mail. Do it only if you know that it is theirs.",
        permission=_PERMISSION,
        perform=_verify,
        applies_to=lambda person: person.erased_at is None and not person.is_verified,
    ),
    Deed(
        name="unverify",
        label="Mark as not verified",
        done="to be verified again",
        text="They are mailed a link and cannot sign in again before they have followed it.",
        permission=_PERMISSION,
        perform=_doubt,
        applies_to=lambda person: person.is_verified,
    ),
    Deed(
        name="sign-out",
        label="Sign out everywhere",
        done="signed out everywhere",
        text="Every session and sign-in of a program ends; personal tokens stay.",
        permission=_PERMISSION,
        perform=_sign_out,
    ),
)


@admin.register(User)
class UserAdmin(DeedAdmin):
    """Who is registered; never a password, not even its hash."""

    deeds = DEEDS
    list_display = (
        "email",
        "display_name",
        "is_active",
        "verified",
        "is_staff",
        "date_joined",
        "last_login",
    )
    list_filter = (
        "is_active",
        "is_staff",
        ("erasure_requested_at", admin.EmptyFieldListFilter),
        ("erased_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("email", "display_name", "public_id")
    search_help_text = "An address, a name or a public id."
    date_hierarchy = "date_joined"
    ordering = ("-id",)
    exclude = ("password", "groups", "user_permissions")
    export_fields = (
        "public_id",
        "email",
        "display_name",
        "is_active",
        "verified",
        "is_staff",
        "date_joined",
        "last_login",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Look up in the same query whether the address is proven."""
        people_rows: QuerySet[User] = super().get_queryset(request)
        proven = EmailAddress.objects.filter(
            user=OuterRef("pk"), email=OuterRef("email"), verified=True
        )
        return people_rows.annotate(is_verified=Exists(proven))

    @admin.display(boolean=True)
    def verified(self, person: Any) -> bool:
        """Whether the address is proven; *person* carries the annotation, which its type does not know."""
        return bool(person.is_verified)
