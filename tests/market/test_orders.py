"""The order state machine, cell by cell."""

from typing import cast

import pytest

from market.enums import OrderStatus
from market.errors import ConflictError
from market.orders import TERMINAL, TRANSITIONS, WORKING, IllegalTransitionError, advance

S = OrderStatus

LAWFUL = {
    S.SUBMITTING: "DENIED ACCEPTED PARTIALLY_FILLED FILLED CANCELED EXPIRED REJECTED UNKNOWN",
    S.UNKNOWN: "ACCEPTED PARTIALLY_FILLED FILLED CANCELED EXPIRED REJECTED ABANDONED MANUAL_REVIEW",
    S.ACCEPTED: "PENDING_CANCEL PARTIALLY_FILLED FILLED CANCELED EXPIRED MANUAL_REVIEW",
    S.PARTIALLY_FILLED: "PENDING_CANCEL PARTIALLY_FILLED FILLED CANCELED EXPIRED MANUAL_REVIEW",
    S.PENDING_CANCEL: "ACCEPTED PARTIALLY_FILLED FILLED CANCELED EXPIRED MANUAL_REVIEW",
    S.CANCELED: "FILLED MANUAL_REVIEW",
    S.EXPIRED: "FILLED MANUAL_REVIEW",
    S.FILLED: "MANUAL_REVIEW",
    S.REJECTED: "MANUAL_REVIEW",
    S.DENIED: "",
    S.ABANDONED: "ACCEPTED PARTIALLY_FILLED FILLED CANCELED EXPIRED MANUAL_REVIEW",
    S.MANUAL_REVIEW: "FILLED CANCELED ABANDONED REJECTED",
}


@pytest.mark.parametrize("current", S)
@pytest.mark.parametrize("to", S)
def test_an_order_goes_exactly_where_the_table_lets_it(current, to):
    if to.value in LAWFUL[current].split():
        assert advance(current, to) is to
    else:
        with pytest.raises(IllegalTransitionError) as caught:
            advance(current, to)
        assert caught.value.code == "illegal_transition"
        assert isinstance(caught.value, ConflictError)


def test_every_state_has_a_row():
    assert set(TRANSITIONS) == set(S)


def test_working_and_terminal_leave_out_only_what_a_person_must_look_at():
    assert not WORKING & TERMINAL
    assert set(S) - WORKING - TERMINAL == {S.MANUAL_REVIEW}


def test_a_status_read_from_a_row_as_plain_text_works_too():
    assert advance(cast("OrderStatus", "SUBMITTING"), cast("OrderStatus", "ACCEPTED")) == S.ACCEPTED
