"""What may not be traded for the time being: set and released by people, operators and rules.

Rows of PostgreSQL only, so that a halt holds whatever else is down; a file on the machine halts it
even before the first row can be read.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts.selectors import people
from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market.errors import (
    ConflictError,
    FieldProblem,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from trading.domain import trading_states as domain
from trading.models import (
    Deployment,
    ProtectionMark,
    ReleaseRule,
    RestrictionCause,
    RestrictionScope,
    RestrictionState,
    TradingRestriction,
)

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount, Instrument, Venue

_LONGEST_REASON: Final = 300

#: Rules that measure losses from a mark, which starts anew once they are released.
_MEASURED: Final = frozenset({RestrictionCause.DAILY_LOSS, RestrictionCause.DRAWDOWN})


class ReasonRequiredError(InvalidInputError):
    """Who stops trading, or lets it go on, says why."""

    code = "reason_required"

    def __init__(self) -> None:
        text = f"Say why, in 1 to {_LONGEST_REASON} characters."
        super().__init__(text, problems=[FieldProblem("reason", self.code, text)])


class RestrictionNotFoundError(NotFoundError):
    """There is no such restriction in force, or it is somebody else's."""

    code = "restriction_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such restriction in force.")


class ReleaseForbiddenError(ForbiddenError):
    """What an operator or a rule of the platform has set is not for its owner to end."""

    code = "release_forbidden"

    def __init__(self, row: TradingRestriction) -> None:
        who = ReleaseRule(row.release_rule).label.lower()
        super().__init__(f"This ends otherwise: {who}.")


class SecondOperatorNeededError(ConflictError):
    """The same operator cannot agree twice to go on."""

    code = "second_operator_needed"

    def __init__(self) -> None:
        super().__init__("You have agreed already. Another operator has to agree as well.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is restricted: its key, its name for people, and whose it is."""

    scope: RestrictionScope
    key: str
    name: str
    owner_id: int | None = None


def of_platform() -> Target:
    """Return everything there is."""
    return Target(scope=RestrictionScope.PLATFORM, key=domain.PLATFORM, name="The platform")


def of_venue(venue: "Venue") -> Target:
    """Return everything at a venue."""
    return Target(scope=RestrictionScope.VENUE, key=domain.key_of_venue(venue.pk), name=venue.name)


def of_person(person_id: int, *, name: str) -> Target:
    """Return everything of a person."""
    return Target(
        scope=RestrictionScope.PERSON,
        key=domain.key_of_person(person_id),
        name=name,
        owner_id=person_id,
    )


def of_account(account: "ExchangeAccount") -> Target:
    """Return everything on an exchange account."""
    return Target(
        scope=RestrictionScope.ACCOUNT,
        key=domain.key_of_account(account.pk),
        name=f"Account {account.label}",
        owner_id=account.owner_id,
    )


def of_instrument(instrument: "Instrument", *, account: "ExchangeAccount | None" = None) -> Target:
    """Return one market for everybody, or in one account."""
    return Target(
        scope=RestrictionScope.INSTRUMENT,
        key=domain.key_of_instrument(instrument.pk, account_id=account.pk if account else None),
        name=f"{instrument.symbol} {f'in {account.label}' if account else 'for everybody'}",
        owner_id=account.owner_id if account else None,
    )


def of_deployment(deployment: Deployment) -> Target:
    """Return one deployment."""
    return Target(
        scope=RestrictionScope.DEPLOYMENT,
        key=domain.key_of_deployment(deployment.pk),
        name=f"“{deployment.name}”",
        owner_id=deployment.owner_id,
    )


@transactional
def set_by_hand(
    *,
    target: Target,
    state: str,
    reason: str,
    by: Actor,
    is_operator: bool,
    now: datetime,
    until: datetime | None = None,
) -> TradingRestriction | None:
    """Let *target* trade less, or, with ACTIVE, end what was set by hand of the same kind.

    The one who asks has proven that the target is theirs, or is an operator. The same state again
    changes nothing. Returns what is in force of this kind afterwards, None if nothing is.
    Raises ReasonRequiredError, InvalidInputError for a state or an end that cannot be,
    SecondOperatorNeededError.
    """
    why = checked_reason(reason)
    _check_wish(state, until, now)
    cause = RestrictionCause.OPERATOR if is_operator else RestrictionCause.OWNER
    if state == domain.TradingState.ACTIVE:
        row = _in_force(now).filter(target_key=target.key, cause=cause).first()
        return row and _end_by_hand(row, by=by, is_operator=is_operator, note=why, now=now)
    rule = ReleaseRule.OPERATOR if is_operator else ReleaseRule.OWNER
    if is_operator and target.scope is RestrictionScope.PLATFORM:
        rule = ReleaseRule.TWO_OPERATORS
    return restrict(
        target=target,
        state=RestrictionState(state),
        cause=cause,
        reason=why,
        release_rule=rule,
        by=by,
        now=now,
        until=until,
    )


@transactional
def release(
    *, restriction: TradingRestriction, note: str, by: Actor, is_operator: bool, now: datetime
) -> TradingRestriction | None:
    """End one restriction; return it if another operator has to agree first, else None.

    Raises ReasonRequiredError, RestrictionNotFoundError if it is over, ReleaseForbiddenError,
    SecondOperatorNeededError.
    """
    why = checked_reason(note)
    row = (
        TradingRestriction.objects.select_for_update(of=("self",))
        .filter(pk=restriction.pk, released_at=None)
        .first()
    )
    if row is None:
        raise RestrictionNotFoundError
    return _end_by_hand(row, by=by, is_operator=is_operator, note=why, now=now)


@transactional
def release_all(*, target: Target, note: str, by: Actor, now: datetime) -> list[TradingRestriction]:
    """End, as an operator, everything that restricts exactly *target*; return what still does.

    What needs two operators stays until the second has agreed. Raises ReasonRequiredError,
    RestrictionNotFoundError if nothing restricts it, SecondOperatorNeededError.
    """
    why = checked_reason(note)
    rows = list(_in_force(now).filter(target_key=target.key).order_by("pk"))
    if not rows:
        raise RestrictionNotFoundError
    ended = [_end_by_hand(row, by=by, is_operator=True, note=why, now=now) for row in rows]
    return [row for row in ended if row is not None]


@part_of_transaction
def restrict(
    *,
    target: Target,
    state: RestrictionState,
    cause: RestrictionCause,
    reason: str,
    release_rule: ReleaseRule,
    by: Actor,
    now: datetime,
    until: datetime | None = None,
    spares_paper: bool = False,
) -> TradingRestriction:
    """Let *target* trade less for one cause; the same again returns the row that is there.

    A row of the same cause that is over, or says something else, becomes history first. Everybody
    concerned is told once this is committed.
    """
    known = (
        TradingRestriction.objects.select_for_update(of=("self",))
        .filter(target_key=target.key, cause=cause, released_at=None)
        .first()
    )
    if known is not None:
        is_over = known.until_at is not None and known.until_at <= now
        if not is_over and known.state == state and not _differs(known, until, release_rule):
            return known
        _end(known, by=by, now=now, note="It is over." if is_over else "Replaced.")
    row = TradingRestriction(
        scope=target.scope,
        target_key=target.key,
        target_name=target.name[:200],
        owner_id=target.owner_id,
        state=state,
        cause=cause,
        reason=reason[:_LONGEST_REASON],
        release_rule=release_rule,
        spares_paper=spares_paper,
        set_by_kind=by.kind,
        set_by_identifier=by.identifier,
        since_at=now,
        until_at=until,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        # Somebody else was first; what they wrote is as strict as what we would have.
        return TradingRestriction.objects.get(target_key=target.key, cause=cause, released_at=None)
    audit.record(
        actor=by,
        verb="trading.restricted",
        target=row,
        owner_id=target.owner_id,
        detail={"where": target.key, "state": state.value, "cause": cause.value, "reason": reason},
    )
    enqueue_on_commit("trading.tell_restriction", restriction_id=row.pk)
    return row


@part_of_transaction
def end_automatically(row: TradingRestriction, *, by: Actor, note: str, now: datetime) -> None:
    """End a locked restriction whose cause is over."""
    _end(row, by=by, now=now, note=note)


def checked_reason(reason: str) -> str:
    """Return *reason* without the space around it; raise ReasonRequiredError if it says nothing."""
    why = reason.strip()
    if not 1 <= len(why) <= _LONGEST_REASON:
        raise ReasonRequiredError
    return why


def _check_wish(state: str, until: datetime | None, now: datetime) -> None:
    problems = []
    if state not in set(domain.TradingState):
        text = f"Use one of {', '.join(domain.TradingState)}."
        problems.append(FieldProblem("state", "unknown_choice", text))
    if until is not None and until <= now:
        text = "Name an instant in the future, or leave it open."
        problems.append(FieldProblem("until", "out_of_range", text))
    if problems:
        raise InvalidInputError(" ".join(each.message for each in problems), problems=problems)


def _in_force(now: datetime) -> QuerySet[TradingRestriction]:
    return TradingRestriction.objects.select_for_update(of=("self",)).filter(
        Q(until_at=None) | Q(until_at__gt=now), released_at=None
    )


def _end_by_hand(
    row: TradingRestriction, *, by: Actor, is_operator: bool, note: str, now: datetime
) -> TradingRestriction | None:
    if not is_operator and row.release_rule != ReleaseRule.OWNER:
        raise ReleaseForbiddenError(row)
    if row.release_rule == ReleaseRule.TWO_OPERATORS and people.count_operators() > 1:
        if not row.approved_by:
            row.approved_by, row.approved_at = by.identifier, now
            row.save(update_fields=["approved_by", "approved_at"])
            _audit_end(row, "trading.release_approved", by, note)
            return row
        if row.approved_by == by.identifier:
            raise SecondOperatorNeededError
    _end(row, by=by, now=now, note=note)
    return None


def _differs(known: TradingRestriction, until: datetime | None, rule: ReleaseRule) -> bool:
    """Tell whether *known* has to end at another time; what ends by itself is never shortened."""
    if rule == ReleaseRule.AUTOMATIC and known.until_at is not None and until is not None:
        return until > known.until_at
    return known.until_at != until


def _end(row: TradingRestriction, *, by: Actor, now: datetime, note: str) -> None:
    row.released_at = now
    row.released_by_kind, row.released_by_identifier = by.kind, by.identifier
    row.release_note = note[:_LONGEST_REASON]
    row.save(
        update_fields=[
            "released_at",
            "released_by_kind",
            "released_by_identifier",
            "release_note",
        ]
    )
    if row.cause in _MEASURED:
        ProtectionMark.objects.filter(target_key=row.target_key).delete()
    _audit_end(row, "trading.released", by, note)


def _audit_end(row: TradingRestriction, verb: str, by: Actor, note: str) -> None:
    audit.record(
        actor=by,
        verb=verb,
        target=row,
        owner_id=row.owner_id,
        detail={"where": row.target_key, "cause": row.cause, "note": note},
    )
