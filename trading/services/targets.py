"""What is to be restricted, named as on a command line or by a person's own public ids."""

from typing import Final
from uuid import UUID

from accounts.selectors import people
from exchanges.selectors import accounts, instruments
from market.errors import FieldProblem, InvalidInputError, NotFoundError
from trading.models import Deployment
from trading.selectors import deployments
from trading.selectors.owners import Owner
from trading.services import restrictions
from trading.services.restrictions import Target

#: How a target is written.
FORMS: Final = (
    "platform",
    "venue:CODE",
    "person:EMAIL",
    "account:ID",
    "instrument:VENUE:SYMBOL",
    "deployment:ID",
)


class UnknownTargetError(InvalidInputError):
    """That is no way to name something that can be restricted."""

    code = "unknown_scope"

    def __init__(self) -> None:
        text = f"Name it as one of {', '.join(FORMS)}."
        super().__init__(text, problems=[FieldProblem("scope", self.code, text)])


class TargetNotFoundError(NotFoundError):
    """There is nothing of that name."""

    code = "target_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no {name[:100]}.")


def named(text: str) -> Target:
    """Return what an operator names as in FORMS; ids are public ids.

    Raises UnknownTargetError, TargetNotFoundError, UnknownVenueError, UnknownInstrumentError.
    """
    what, _, name = text.strip().partition(":")
    match what:
        case "platform" if not name:
            return restrictions.of_platform()
        case "venue" if name:
            return restrictions.of_venue(instruments.get_venue(name))
        case "instrument" if ":" in name:
            venue, _, symbol = name.partition(":")
            return restrictions.of_instrument(instruments.get_instrument(venue, symbol))
        case "person" if name:
            person = people.find_by_email(name)
            if person is None:
                raise TargetNotFoundError(text)
            return restrictions.of_person(person.pk, name=person.email)
        case "account" if name:
            account = accounts.find_by_public_id(_uuid(name, text))
            if account is None:
                raise TargetNotFoundError(text)
            return restrictions.of_account(account)
        case "deployment" if name:
            deployment = Deployment.objects.filter(public_id=_uuid(name, text)).first()
            if deployment is None:
                raise TargetNotFoundError(text)
            return restrictions.of_deployment(deployment)
    raise UnknownTargetError


def of_own(owner: Owner, *, text: str) -> Target:
    """Return what a person names of their own: ``person``, ``account:ID`` or ``deployment:ID``.

    Raises UnknownTargetError, and the errors of things that are absent or somebody else's.
    """
    what, _, name = text.strip().partition(":")
    match what:
        case "person" if not name:
            return restrictions.of_person(owner.pk or 0, name="Everything of yours")
        case "account" if name:
            return restrictions.of_account(
                accounts.get_account_for(owner, public_id=_uuid(name, text))
            )
        case "deployment" if name:
            found = deployments.get_deployment_for(owner, public_id=_uuid(name, text))
            return restrictions.of_deployment(found)
    raise UnknownTargetError


def _uuid(name: str, text: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        raise TargetNotFoundError(text) from None
