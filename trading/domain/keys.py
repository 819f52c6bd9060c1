"""Names of decisions and of orders, the same again after a crash or a restore.

A decision acts at most once because its key is unique in its deployment; an order is found again
because its id at the venue is a pure function of the decision.
"""

import hashlib
import re
from typing import Final
from uuid import UUID

from market.enums import Leg

#: Hex digits of a client order id: what every venue on the list accepts or can be reshaped from.
CLIENT_ORDER_ID_LENGTH: Final = 32

_SEPARATOR: Final = "|"
_OURS: Final = re.compile(f"[0-9a-f]{{{CLIENT_ORDER_ID_LENGTH}}}")


def decision_key(
    *, revision_id: int, instrument_id: int, bar_close_ms: int, leg: Leg, step: int = 0
) -> str:
    """Return the key of what a revision decided about an instrument at the close of a bar.

    *step* tells the orders of a ladder, and the targets after the first, from one another.
    """
    action = "ENTER" if leg in {Leg.ENTRY, Leg.LADDER} else "EXIT"
    parts = (revision_id, instrument_id, bar_close_ms, action, leg.value)
    return _SEPARATOR.join(str(part) for part in (*parts, *([step] if step else [])))


def protective_key(entry_key: str, *, number: int) -> str:
    """Return the key of the *number*-th stop that protects what the decision *entry_key* opened."""
    return _SEPARATOR.join((entry_key, Leg.STOP.value, str(number)))


def attached_key(entry_key: str, *, leg: Leg, step: int, number: int) -> str:
    """Return the key of the *number*-th order that is placed for a target or a step of a ladder."""
    return _SEPARATOR.join((entry_key, leg.value, str(step), str(number)))


def emergency_key(protective: str, *, number: int = 0) -> str:
    """Return the key of the *number*-th exit that is made because the stop *protective* cannot be placed."""
    parts = (protective, "FLATTEN") if number == 0 else (protective, "FLATTEN", str(number))
    return _SEPARATOR.join(parts)


def manual_key(idempotency_key: str, *, instrument_id: int, number: int = 0) -> str:
    """Return the key of the *number*-th exit that the command *idempotency_key* asks for."""
    parts = ("manual", idempotency_key, str(instrument_id), str(number))
    return _SEPARATOR.join(parts)


def client_order_id(*, salt: str, deployment: UUID, decision: str, attempt: int) -> str:
    """Return the id of an order at its venue: 32 lower-case hex digits.

    *salt* is the installation's, so that two installations on one account never share an id.
    """
    text = _SEPARATOR.join((salt, deployment.hex, decision, str(attempt)))
    return hashlib.sha256(text.encode()).hexdigest()[:CLIENT_ORDER_ID_LENGTH]


def is_one_of_ours(client_order_id: str) -> bool:
    """Tell whether an id has the form of ours; only whoever knows its origin can tell whether it is."""
    return _OURS.fullmatch(client_order_id) is not None
