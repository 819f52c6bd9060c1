"""Settings of the site that operators change while it runs: read by every page, written in one place.

They are rows, read anew for each page (one query), so that a change holds for every process at once.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final, Self

from constance.codecs import dumps
from constance.models import Constance
from constance.utils import get_values
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import Error as DatabaseFailure
from django.http import HttpRequest

from foundation import audit
from foundation.audit import Actor
from foundation.transactions import transactional
from market.errors import ConflictError, FieldProblem, InvalidInputError

_NAME_LENGTH: Final = 60
_ANNOUNCEMENT_LENGTH: Final = 300
_PEOPLE_AT_MOST: Final = 100_000_000
#: A referrer never earns more than half of a payment.
_RATE_AT_MOST: Final = Decimal("0.5")
_RATE_PLACES: Final = 6
_DAYS_AT_MOST: Final = 365
_PAYOUT_AT_MOST: Final = 1_000_000
#: For which payments of a referred person a commission is earned.
REFERRAL_PAYMENTS: Final = {"FIRST": "The first one", "ALL": "All of them"}
_ON_REQUEST: Final = "_site_settings"


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """What holds at this moment; the texts that explain them are in ``CONSTANCE_CONFIG``."""

    site_name: str
    support_email: str
    mail_from_name: str
    sign_up_open: bool
    maximum_people: int
    announcement: str
    announcement_is_warning: bool
    referral_rate: Decimal
    referral_payments: str
    referral_window_days: int
    referral_hold_days: int
    referral_minimum_payout: Decimal

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return settings from values by their upper-case names; others are left out."""
        return cls(**{name: values[name.upper()] for name in cls.__dataclass_fields__})

    @property
    def stamp(self) -> str:
        """A text that is another one as soon as any setting is."""
        return str(dumps(asdict(self)))

    def allows_sign_up(self, *, people: int) -> bool:
        """Tell whether one more person may sign up while there are *people* active ones."""
        return self.sign_up_open and (not self.maximum_people or people < self.maximum_people)


class SettingsChangedMeanwhileError(ConflictError):
    """Another operator was quicker."""

    code = "settings_changed_meanwhile"

    def __init__(self) -> None:
        super().__init__("Somebody else has changed the settings. Look at them again, then save.")


class InvalidSettingsError(InvalidInputError):
    """Settings that cannot hold; ``problems`` names each."""

    code = "invalid_settings"


def current() -> SiteSettings:
    """Return the settings that hold now (one query)."""
    return SiteSettings.of(get_values())


def defaults() -> SiteSettings:
    """Return the settings of a fresh installation, without asking the database."""
    return SiteSettings.of({name: option[0] for name, option in settings.CONSTANCE_CONFIG.items()})


def for_page(request: HttpRequest) -> SiteSettings:
    """Return the settings for one page: asked for once, and the defaults while the database is away."""
    known: SiteSettings | None = getattr(request, _ON_REQUEST, None)
    if known is None:
        try:
            known = current()
        except DatabaseFailure:
            known = defaults()
        setattr(request, _ON_REQUEST, known)
    return known


def name_for_operators(request: HttpRequest) -> str:
    """Return the name of the site for the operators' pages."""
    return for_page(request).site_name


@transactional
def change_settings(
    wanted: SiteSettings, *, seen_stamp: str | None = None, by: Actor
) -> tuple[str, ...]:
    """Make *wanted* hold, write each change down, and return the names of what changed.

    Raises InvalidSettingsError with every problem, and SettingsChangedMeanwhileError if what holds is
    not what the operator has *seen*.
    """
    _refuse_invalid(wanted)
    # Whoever comes second waits here, and then finds what the first one wrote.
    lock, _ = Constance.objects.get_or_create(key="LOCK")
    Constance.objects.select_for_update().get(pk=lock.pk)
    before = current()
    if seen_stamp is not None and seen_stamp != before.stamp:
        raise SettingsChangedMeanwhileError
    old, new = asdict(before), asdict(wanted)
    changed = tuple(name for name in new if new[name] != old[name])
    for name in changed:
        row, _ = Constance.objects.update_or_create(
            key=name.upper(), defaults={"value": dumps(new[name])}
        )
        audit.record(
            actor=by,
            verb="site_setting.changed",
            target=row,
            detail={"setting": name, "old": _plain(old[name]), "new": _plain(new[name])},
        )
    return changed


def _refuse_invalid(wanted: SiteSettings) -> None:
    problems = [
        *_problems_of_text("site_name", wanted.site_name, _NAME_LENGTH, required=True),
        *_problems_of_text("mail_from_name", wanted.mail_from_name, _NAME_LENGTH, required=True),
        *_problems_of_text("announcement", wanted.announcement, _ANNOUNCEMENT_LENGTH),
    ]
    if wanted.support_email:
        try:
            validate_email(wanted.support_email)
        except ValidationError:
            problems.append(
                FieldProblem("support_email", "invalid", "This is not an e-mail address.")
            )
    if not 0 <= wanted.maximum_people <= _PEOPLE_AT_MOST:
        message = f"Use a number from 0 to {_PEOPLE_AT_MOST:,}."
        problems.append(FieldProblem("maximum_people", "out_of_range", message))
    problems += _problems_of_referrals(wanted)
    if problems:
        message = " ".join(problem.message for problem in problems)
        raise InvalidSettingsError(message, problems=problems)


def _problems_of_referrals(wanted: SiteSettings) -> list[FieldProblem]:
    problems = [
        *_problems_of_amount("referral_rate", wanted.referral_rate, _RATE_AT_MOST, _RATE_PLACES),
        *_problems_of_amount(
            "referral_minimum_payout", wanted.referral_minimum_payout, Decimal(_PAYOUT_AT_MOST), 2
        ),
    ]
    for name in ("referral_window_days", "referral_hold_days"):
        if not 1 <= getattr(wanted, name) <= _DAYS_AT_MOST:
            message = f"Use a number of days from 1 to {_DAYS_AT_MOST}."
            problems.append(FieldProblem(name, "out_of_range", message))
    if wanted.referral_payments not in REFERRAL_PAYMENTS:
        message = f"Use one of {', '.join(REFERRAL_PAYMENTS)}."
        problems.append(FieldProblem("referral_payments", "invalid", message))
    return problems


def _problems_of_amount(
    name: str, amount: Decimal, most: Decimal, places: int
) -> list[FieldProblem]:
    is_within = amount.is_finite() and 0 <= amount <= most
    if is_within and amount == amount.quantize(Decimal(1).scaleb(-places)):
        return []
    message = f"Use a number from 0 to {most:,} with at most {places} decimals."
    return [FieldProblem(name, "out_of_range", message)]


def _plain(value: object) -> object:
    """Return *value* as the audit trail can hold it."""
    return str(value) if isinstance(value, Decimal) else value


def _problems_of_text(
    name: str, text: str, longest: int, *, required: bool = False
) -> list[FieldProblem]:
    if required and not text.strip():
        return [FieldProblem(name, "required", "This cannot be empty.")]
    if len(text) > longest:
        message = f"At most {longest} characters fit; this has {len(text)}."
        return [FieldProblem(name, "too_long", message)]
    # A line break in a name would end up in the header of a mail.
    if not text.isprintable():
        return [FieldProblem(name, "unprintable", "Use one line of ordinary characters.")]
    return []
