"""The order state machine, cell by cell: who may take which step on what evidence."""

from typing import cast

import pytest

from market.enums import OrderActor, OrderStatus, Proof
from market.errors import ConflictError
from market.orders import (
    EVIDENCE_FIELDS,
    STEPS,
    TERMINAL,
    TRANSITIONS,
    WORKING,
    ForbiddenActorError,
    IllegalTransitionError,
    MissingEvidenceError,
    advance,
)

S = OrderStatus

#: From, to, and who: X submitter, R reconciler, V venue, S strategy, U user, O operator, K kill switch.
LAWFUL = """
    - SUBMITTING XR
    SUBMITTING DENIED X
    SUBMITTING REJECTED X
    SUBMITTING ACCEPTED,PARTIALLY_FILLED,FILLED,CANCELED,EXPIRED,UNKNOWN XR
    UNKNOWN ACCEPTED,PARTIALLY_FILLED,FILLED,CANCELED,EXPIRED,REJECTED,MANUAL_REVIEW R
    UNKNOWN ABANDONED RO
    ACCEPTED PENDING_CANCEL SUOK
    ACCEPTED PARTIALLY_FILLED,FILLED,CANCELED,EXPIRED RV
    PARTIALLY_FILLED PENDING_CANCEL SUOK
    PARTIALLY_FILLED FILLED,CANCELED,EXPIRED RV
    PENDING_CANCEL PARTIALLY_FILLED,FILLED,CANCELED,EXPIRED RV
    PENDING_CANCEL ACCEPTED R
    CANCELED FILLED R
    EXPIRED FILLED R
    ABANDONED ACCEPTED,PARTIALLY_FILLED,FILLED,CANCELED,EXPIRED R
    ACCEPTED,PARTIALLY_FILLED,PENDING_CANCEL MANUAL_REVIEW R
    FILLED,CANCELED,EXPIRED,REJECTED,ABANDONED MANUAL_REVIEW R
    MANUAL_REVIEW FILLED,CANCELED,ABANDONED,REJECTED O
"""
ACTORS = {
    "X": OrderActor.SUBMITTER,
    "R": OrderActor.RECONCILER,
    "V": OrderActor.VENUE,
    "S": OrderActor.STRATEGY,
    "U": OrderActor.USER,
    "O": OrderActor.OPERATOR,
    "K": OrderActor.KILL_SWITCH,
}


def lawful() -> set[tuple[str, str, OrderActor]]:
    found = set()
    for line in LAWFUL.strip().splitlines():
        sources, targets, actors = line.split()
        found |= {
            ("" if source == "-" else source, to, ACTORS[actor])
            for source in sources.split(",")
            for to in targets.split(",")
            for actor in actors
        }
    return found


def evidence(proof: Proof) -> dict[str, str]:
    return dict.fromkeys(EVIDENCE_FIELDS[proof], "told")


@pytest.mark.parametrize("to", S)
@pytest.mark.parametrize("current", [None, *S])
def test_an_order_goes_exactly_where_the_table_lets_whom(current, to):
    permits = STEPS.get((current, to), {})
    for actor in OrderActor:
        proof = permits.get(actor, Proof.VENUE_RECORD)
        told = evidence(proof)
        if (current or "", to, actor) in lawful():
            assert advance(current, to, actor=actor, proof=proof, evidence=told) is to
        else:
            with pytest.raises(
                ForbiddenActorError if permits else IllegalTransitionError
            ) as caught:
                advance(current, to, actor=actor, proof=proof, evidence=told)
            assert isinstance(caught.value, ConflictError)


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        (Proof.VENUE_RECORD, {}),
        (Proof.VENUE_RECORD, {"venue_order_id": ""}),
        (Proof.COMMAND, {"why": "because", "venue_order_id": "7"}),
    ],
)
def test_a_step_without_evidence_of_its_kind_is_refused(proof, told):
    with pytest.raises(MissingEvidenceError):
        advance(S.UNKNOWN, S.ACCEPTED, actor=OrderActor.RECONCILER, proof=proof, evidence=told)


def test_every_state_has_a_row():
    assert set(TRANSITIONS) == set(S)


def test_working_and_terminal_leave_out_only_what_a_person_must_look_at():
    assert not WORKING & TERMINAL
    assert set(S) - WORKING - TERMINAL == {S.MANUAL_REVIEW}


def test_a_status_read_from_a_row_as_plain_text_works_too():
    said = advance(
        cast("OrderStatus", "SUBMITTING"),
        cast("OrderStatus", "ACCEPTED"),
        actor=OrderActor.SUBMITTER,
        proof=Proof.VENUE_RECORD,
        evidence=evidence(Proof.VENUE_RECORD),
    )
    assert said == S.ACCEPTED
