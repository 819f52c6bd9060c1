"""A person's e-mail address: proving it, and changing it for another one that is proven."""

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from accounts.models import MailKind, NotificationKind, NotificationLevel, User
from accounts.services.mails import request_mail
from accounts.services.notifications import notify
from foundation import audit
from foundation.transactions import transactional
from market.errors import ConflictError, ForbiddenError


class AddressUnavailableError(ConflictError):
    """The address has meanwhile become somebody else's, or nobody waits for it any more."""

    code = "address_unavailable"

    def __init__(self) -> None:
        super().__init__("This address cannot be confirmed any more.")


class NotYourAddressError(ForbiddenError):
    """Only the person who asked for a new address may confirm it, signed in."""

    code = "sign_in_first"

    def __init__(self) -> None:
        super().__init__("Sign in first, then open the link again: it changes your address.")


@transactional
def confirm_address(*, address_id: int, signed_in_id: int | None, now: datetime) -> User:
    """Note that the reader of a mailbox holds the link that was sent there; return whose address it is.

    The first address of a person becomes proven; another one takes its place, of which the old one is told.
    Raises NotYourAddressError if a change is confirmed by anybody but the person, because a mistyped
    address is somebody else's mailbox, and AddressUnavailableError.
    """
    owner_id = EmailAddress.objects.filter(pk=address_id).values_list("user_id", flat=True).first()
    person = User.objects.select_for_update().filter(pk=owner_id).first()
    address = EmailAddress.objects.select_for_update().filter(pk=address_id, user=person).first()
    if person is None or address is None:
        raise AddressUnavailableError
    if address.verified:
        return person
    is_change = address.email.lower() != person.email.lower()
    if is_change and signed_in_id != person.pk:
        raise NotYourAddressError
    try:
        with transaction.atomic():
            _put_in_place(person, address)
    except IntegrityError:
        raise AddressUnavailableError from None
    verb = "person.address_changed" if is_change else "person.address_verified"
    audit.record(actor=audit.Actor.person(person.pk), verb=verb, target=person, owner_id=person.pk)
    return person


@transactional
def resend_link(*, email: str) -> None:
    """Mail a new link to an address that waits for its proof; any other address gets nothing."""
    address = EmailAddress.objects.filter(
        email=email.strip().lower(), primary=True, verified=False, user__is_active=True
    ).first()
    if address is not None:
        request_mail(
            kind=MailKind.VERIFY_ADDRESS, recipient=address.email, owner_id=address.user_id
        )


def _put_in_place(person: User, address: EmailAddress) -> None:
    """Make *address* the only, proven one; a constraint refuses one that is somebody else's."""
    before = person.email
    EmailAddress.objects.filter(user=person).exclude(pk=address.pk).delete()
    address.verified = address.primary = True
    address.save(update_fields=["verified", "primary"])
    if before == address.email:
        return
    person.email = address.email
    person.save(update_fields=["email"])
    # The old mailbox is told, in case it was not its reader who asked for the change.
    request_mail(kind=MailKind.ADDRESS_CHANGED, recipient=before, owner_id=person.pk)
    notify(
        owner_id=person.pk,
        kind=NotificationKind.SECURITY,
        key=f"address-{address.pk}",
        title="Your e-mail address was changed",
        body="From now on you sign in with the new one, and mails go there.",
        path="/account/security/",
        level=NotificationLevel.WARNING,
    )
