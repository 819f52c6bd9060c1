"""Who did what to which thing: one append-only row per deed, written in the transaction of the deed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from foundation import replica
from foundation.models import AuditEntry
from foundation.transactions import part_of_transaction


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, or a part of the platform by its name."""

    kind: str
    identifier: str

    @classmethod
    def person(cls, person_id: int) -> "Actor":
        """A signed-in person."""
        return cls("person", str(person_id))

    @classmethod
    def system(cls, name: str) -> "Actor":
        """A task, a command or another part of the platform."""
        return cls("system", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who did what to which thing; *detail* carries old and new values, never a secret.

    A *target* that is a table and not a row of it has no identifier.
    """

    actor: Actor
    verb: str
    target: Model | type[Model]
    owner_id: int | None = None
    detail: Mapping[str, Any] | None = None


@part_of_transaction
def record_all(deeds: Iterable[Deed]) -> None:
    """Add a row for each of *deeds*."""
    AuditEntry.objects.bulk_create(_entry(deed) for deed in deeds)


@part_of_transaction
def record(
    *,
    actor: Actor,
    verb: str,
    target: Model | type[Model],
    owner_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one row, see :class:`Deed`."""
    deed = Deed(actor=actor, verb=verb, target=target, owner_id=owner_id, detail=detail)
    _entry(deed).save(force_insert=True)


def latest(*, most: int) -> Sequence[AuditEntry]:
    """Return the last deeds, newest first; for operators only, because they are everybody's."""
    entries = AuditEntry.objects.using(replica.using()).select_related("owner")
    return list(entries.order_by("-id")[:most])


def _entry(deed: Deed) -> AuditEntry:
    target = deed.target
    return AuditEntry(
        actor_kind=deed.actor.kind,
        actor_identifier=deed.actor.identifier,
        verb=deed.verb,
        target_kind=target._meta.label_lower,
        target_identifier="" if isinstance(target, type) else _identifier_of(target),
        owner_id=deed.owner_id,
        detail=dict(deed.detail or {}),
    )


def _identifier_of(target: Model) -> str:
    return str(getattr(target, "public_id", target.pk))
