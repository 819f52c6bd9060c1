"""Who did what to which thing: one append-only row per deed, written in the transaction of the deed."""

from collections.abc import Mapping, Sequence
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


@part_of_transaction
def record(
    *,
    actor: Actor,
    verb: str,
    target: Model | type[Model],
    owner_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one row; *detail* carries old and new values, never a secret.

    A *target* that is a table and not a row of it has no identifier.
    """
    AuditEntry.objects.create(
        actor_kind=actor.kind,
        actor_identifier=actor.identifier,
        verb=verb,
        target_kind=target._meta.label_lower,
        target_identifier="" if isinstance(target, type) else _identifier_of(target),
        owner_id=owner_id,
        detail=dict(detail or {}),
    )


def latest(*, most: int) -> Sequence[AuditEntry]:
    """Return the last deeds, newest first; for operators only, because they are everybody's."""
    entries = AuditEntry.objects.using(replica.using()).select_related("owner")
    return list(entries.order_by("-id")[:most])


def _identifier_of(target: Model) -> str:
    return str(getattr(target, "public_id", target.pk))
