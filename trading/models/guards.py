"""What the database itself refuses to do to orders."""

from collections.abc import Iterable
from typing import Final

import pgtrigger
from django.db.models import Model

from market.orders import EVIDENCE_FIELDS, STEPS

#: Every lawful step as the database compares it: from, to, actor, kind of evidence.
ORDER_STEPS: Final = tuple(
    sorted(
        f"{current.value if current else ''}>{to.value}:{actor.value}/{proof.value}"
        for (current, to), permits in STEPS.items()
        for actor, proof in permits.items()
    )
)

#: What an order is does not change once it has been sent.
IDENTITY: Final = (
    "owner_id",
    "intent_id",
    "attempt",
    "deployment_id",
    "account_id",
    "instrument_id",
    "client_order_id",
    "leg",
    "side",
    "order_type",
    "quantity",
    "reduce_only",
)


class Guard(pgtrigger.Trigger):
    """Refuse unlawful steps of an order and changes of what it is; keep each lawful step as a row.

    A write of another status names its actor and evidence in the step columns. Forgetting them,
    like every other violation, is an IntegrityError.
    """

    when = pgtrigger.Before
    operation = pgtrigger.Insert | pgtrigger.Update

    def __init__(self, *, name: str, steps: tuple[str, ...]) -> None:
        super().__init__(name=name)
        self.steps = steps

    def get_declare(self, model: Model) -> list[tuple[str, str]]:
        """Return the variables of the function."""
        return [("came_from", "text := ''"), ("step", "text")]

    def get_func(self, model: Model) -> str:
        """Return the body of the function."""
        changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in IDENTITY)
        lawful = ", ".join(f"'{step}'" for step in self.steps)
        fields = " ".join(
            f"WHEN '{proof.value}' THEN ARRAY[{_quoted(names)}]"
            for proof, names in sorted(EVIDENCE_FIELDS.items())
        )
        return f"""
            IF TG_OP = 'UPDATE' THEN
                IF {changed} THEN
                    RAISE EXCEPTION 'what order % is may not change', OLD.id
                        USING ERRCODE = 'check_violation';
                END IF;
                IF NEW.filled_quantity < OLD.filled_quantity THEN
                    RAISE EXCEPTION 'what order % has filled may not shrink', OLD.id
                        USING ERRCODE = 'check_violation';
                END IF;
                came_from := OLD.status;
            END IF;
            IF NEW.status <> came_from THEN
                step := came_from || '>' || NEW.status || ':' || NEW.step_actor
                    || '/' || NEW.step_proof;
                IF NOT step = ANY (ARRAY[{lawful}]) THEN
                    RAISE EXCEPTION 'unlawful step % of order %', step, NEW.id
                        USING ERRCODE = 'check_violation';
                END IF;
                IF NOT coalesce(NEW.step_evidence ?& (CASE NEW.step_proof {fields} END), false) THEN
                    RAISE EXCEPTION 'the evidence for step % of order % says too little', step, NEW.id
                        USING ERRCODE = 'check_violation';
                END IF;
                INSERT INTO trading_ordertransition
                    (owner_id, order_id, from_status, to_status, actor, proof, evidence, at)
                VALUES (NEW.owner_id, NEW.id, came_from, NEW.status, NEW.step_actor,
                    NEW.step_proof, NEW.step_evidence, clock_timestamp());
            END IF;
            NEW.step_actor := '';
            NEW.step_proof := '';
            NEW.step_evidence := NULL;
            RETURN NEW;
        """  # noqa: S608  # nothing in it comes from outside


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
