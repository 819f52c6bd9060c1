"""People: how they come into being, change, are kept out, and are forgotten."""

from datetime import datetime
from typing import Final

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from accounts import events
from accounts.domain.profiles import check_profile
from accounts.models import Mail, MailKind, Notification, User
from accounts.services import access
from accounts.services.mails import request_mail
from foundation import audit
from foundation.events import publish
from foundation.transactions import transactional
from market.errors import ConflictError, NotFoundError

#: What is longer is no hint of ours.
_LONGEST_HINT: Final = 300


class AddressTakenError(ConflictError):
    """Somebody is registered with this address; for our own eyes, because saying so would betray them."""

    code = "address_taken"

    def __init__(self) -> None:
        super().__init__("Somebody is registered with this address.")


class PersonNotFoundError(NotFoundError):
    """There is no such person, or no more."""


class LastOperatorError(ConflictError):
    """Without this person nobody could look after the installation."""

    code = "last_operator"

    def __init__(self) -> None:
        super().__init__("This is the last operator who can sign in; make another one first.")


class PersonErasedError(ConflictError):
    """The person is deleted; what is left of them are financial records."""

    code = "person_erased"

    def __init__(self) -> None:
        super().__init__("This person is deleted.")


@transactional
def register_person(
    *,
    email: str,
    password: str | None,
    now: datetime,
    person: User | None = None,
    is_verified: bool = False,
    hint: str = "",
) -> User:
    """Create a person and say so; raise AddressTakenError if the address is taken, in any case.

    *person* is the unsaved row that the accounts library may have made. Without a *password* nobody can
    sign in. A person who is not *is_verified* is mailed a link that proves the address, and cannot sign in
    before that. A taken address takes as long as a free one: the password is hashed before the row is tried.
    *hint* is what the browser carried about where the person came from; it is handed on unread.
    """
    user = person or User()
    user.email = email.strip().lower()
    user.password = make_password(password)
    try:
        with transaction.atomic():
            user.save()
            EmailAddress.objects.create(
                user=user, email=user.email, primary=True, verified=is_verified
            )
    except IntegrityError:
        raise AddressTakenError from None
    audit.record(
        actor=audit.Actor.person(user.pk), verb="person.registered", target=user, owner_id=user.pk
    )
    publish(events.PERSON_REGISTERED, occurred_at=now, owner_id=user.pk, hint=_fit(hint))
    if not is_verified:
        request_mail(kind=MailKind.VERIFY_ADDRESS, recipient=user.email, owner_id=user.pk)
    return user


def _fit(hint: str) -> str:
    """Return *hint* if an event can hold it; what strangers send may be anything."""
    is_plain = hint.isascii() and hint.isprintable() and len(hint) <= _LONGEST_HINT
    return hint if is_plain else ""


@transactional
def remind_of_account(*, email: str) -> None:
    """Mail the owner of a taken address that somebody, perhaps they themselves, signed up with it."""
    owner = User.objects.filter(email=email.strip().lower()).first()
    request_mail(
        kind=MailKind.ALREADY_REGISTERED,
        recipient=email.strip().lower(),
        owner_id=owner.pk if owner else None,
    )


@transactional
def change_profile(
    *,
    person: User,
    display_name: str,
    bio: str,
    time_zone: str,
    currency: str,
    theme: str,
    by: audit.Actor,
    now: datetime,
) -> User:
    """Store how a person wants to be called and to read; raise InvalidInputError for what cannot be."""
    wanted = check_profile(
        display_name=display_name, bio=bio, time_zone=time_zone, currency=currency, theme=theme
    )
    row = _locked(person.pk)
    changed = [name for name, value in wanted.items() if getattr(row, name) != value]
    if changed:
        for name in changed:
            setattr(row, name, wanted[name])
        row.save(update_fields=changed)
        audit.record(
            actor=by,
            verb="person.profile_changed",
            target=row,
            owner_id=row.pk,
            detail={"changed": changed, "at": now.isoformat()},
        )
    return row


@transactional
def end_all_sessions(
    *, person_id: int, keep_session_key: str | None = None, by: audit.Actor, now: datetime
) -> User:
    """Sign a person out everywhere; access and refresh tokens end too, personal tokens stay.

    The session *keep_session_key* stays signed in once its view has signed it anew
    (``update_session_auth_hash`` with the person that is returned).
    """
    person = _locked(person_id)
    access.end_access(
        person, keep_session_key=keep_session_key, also_personal_tokens=False, by=by, now=now
    )
    audit.record(actor=by, verb="person.signed_out", target=person, owner_id=person.pk)
    return person


@transactional
def deactivate_person(*, person_id: int, by: audit.Actor, now: datetime) -> User:
    """Keep a person out at once and have everything that trades for them stopped; a repeat changes nothing.

    Raises LastOperatorError for the last operator.
    """
    operators = _lock_operators()
    person = _locked(person_id)
    if not person.is_active:
        return person
    if operators == {person.pk}:
        raise LastOperatorError
    _shut_out(person, by=by, now=now)
    audit.record(actor=by, verb="person.deactivated", target=person, owner_id=person.pk)
    publish(events.PERSON_DEACTIVATED, occurred_at=now, owner_id=person.pk)
    return person


@transactional
def reactivate_person(*, person_id: int, by: audit.Actor, now: datetime) -> User:
    """Let a person in again; also calls off a deletion that has not happened. Nothing restarts by itself.

    Raises PersonErasedError for one who is deleted.
    """
    person = _locked(person_id)
    if person.erased_at is not None:
        raise PersonErasedError
    if person.is_active:
        return person
    person.is_active, person.deactivated_at, person.erasure_requested_at = True, None, None
    person.save(update_fields=["is_active", "deactivated_at", "erasure_requested_at"])
    audit.record(actor=by, verb="person.reactivated", target=person, owner_id=person.pk)
    publish(events.PERSON_REACTIVATED, occurred_at=now, owner_id=person.pk)
    return person


@transactional
def set_staff(*, person_id: int, is_staff: bool, by: audit.Actor, now: datetime) -> User:
    """Make a person an operator with every permission, or an ordinary person again.

    Raises LastOperatorError for the last operator, PersonErasedError for one who is deleted.
    """
    operators = _lock_operators()
    person = _locked(person_id)
    if person.erased_at is not None:
        raise PersonErasedError
    if person.is_staff == person.is_superuser == is_staff:
        return person
    if not is_staff and operators == {person.pk}:
        raise LastOperatorError
    person.is_staff = person.is_superuser = is_staff
    person.save(update_fields=["is_staff", "is_superuser"])
    # What is open in a browser was signed in to other rights.
    access.end_access(person, keep_session_key=None, also_personal_tokens=False, by=by, now=now)
    verb = "person.promoted" if is_staff else "person.demoted"
    audit.record(actor=by, verb=verb, target=person, owner_id=person.pk)
    return person


@transactional
def set_verified(*, person_id: int, is_verified: bool, by: audit.Actor, now: datetime) -> User:
    """Say that a person's address is proven, or that it has to be proven again before the next sign-in."""
    person = _locked(person_id)
    if person.erased_at is not None:
        raise PersonErasedError
    address, _ = EmailAddress.objects.get_or_create(
        user=person, email=person.email, defaults={"primary": True}
    )
    if address.verified == is_verified:
        return person
    address.verified = is_verified
    address.save(update_fields=["verified"])
    verb = "person.address_verified" if is_verified else "person.address_doubted"
    audit.record(actor=by, verb=verb, target=person, owner_id=person.pk)
    if not is_verified:
        access.end_access(person, keep_session_key=None, also_personal_tokens=False, by=by, now=now)
        request_mail(kind=MailKind.VERIFY_ADDRESS, recipient=person.email, owner_id=person.pk)
    return person


@transactional
def request_erasure(*, person_id: int, by: audit.Actor, now: datetime) -> User:
    """Begin to delete a person: they are kept out at once, and what trades for them has to end first.

    A repeat changes nothing. Raises LastOperatorError for the last operator.
    """
    operators = _lock_operators()
    person = _locked(person_id)
    if person.erasure_requested_at is not None:
        return person
    if operators == {person.pk}:
        raise LastOperatorError
    person.erasure_requested_at = now
    person.save(update_fields=["erasure_requested_at"])
    _shut_out(person, by=by, now=now)
    audit.record(actor=by, verb="person.erasure_requested", target=person, owner_id=person.pk)
    publish(events.PERSON_ERASURE_REQUESTED, occurred_at=now, owner_id=person.pk)
    return person


@transactional
def erase_person(*, person_id: int, now: datetime) -> User:
    """Forget who a person was, once nothing of theirs runs; a repeat changes nothing.

    Orders, audit and money rows stay and lead to a row that names nobody. Raises ConflictError where
    nobody asked for it.
    """
    person = _locked(person_id)
    if person.erased_at is not None:
        return person
    if person.erasure_requested_at is None:
        raise ConflictError("Nobody has asked to delete this person.")
    access.forget_access(person)
    EmailAddress.objects.filter(user=person).delete()
    Mail.objects.filter(owner=person).delete()
    Notification.objects.filter(owner=person).delete()
    person.email = f"erased-{person.public_id}@erased.invalid"
    person.display_name = person.bio = ""
    person.time_zone = "UTC"
    person.is_active = person.is_staff = person.is_superuser = False
    person.last_login = None
    person.erased_at = now
    person.set_unusable_password()
    person.save()
    audit.record(
        actor=audit.Actor.system("erasure"), verb="person.erased", target=person, owner_id=person.pk
    )
    publish(events.PERSON_ERASED, occurred_at=now, owner_id=person.pk)
    return person


def _shut_out(person: User, *, by: audit.Actor, now: datetime) -> None:
    person.is_active = False
    person.deactivated_at = person.deactivated_at or now
    person.save(update_fields=["is_active", "deactivated_at"])
    access.end_access(person, keep_session_key=None, also_personal_tokens=True, by=by, now=now)


def _locked(person_id: int) -> User:
    try:
        return User.objects.select_for_update().get(pk=person_id)
    except User.DoesNotExist:
        raise PersonNotFoundError from None


def _lock_operators() -> set[int]:
    """Lock those who can look after the installation, in one order, so that two cannot remove each other."""
    rows = User.objects.select_for_update().filter(is_active=True, is_staff=True, is_superuser=True)
    return set(rows.order_by("pk").values_list("pk", flat=True))
