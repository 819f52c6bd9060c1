"""Parameters that several strategies have: the same words, bounds and units for the same thing.

Each function returns a pydantic field, which its type (Any) cannot say: pydantic's own ``Field``
does not either.
"""

from typing import Any, Final

from pydantic import Field

_OF_ENTRY: Final = "% from entry"


def leverage(default: int) -> Any:
    """Return how many times the equity may be exposed, for strategies that begin above 1."""
    return Field(
        default=default,
        ge=1,
        le=20,
        title="Leverage",
        description="How many times the equity may be exposed. It caps sizes and never raises risk.",
        json_schema_extra={"unit": "x", "affects": "rules"},
    )


def stop_loss(default: float, *, least: float = 0.1) -> Any:
    """Return the distance of the stop from the entry price; *least* is its step as well."""
    return Field(
        default=default,
        ge=least,
        le=50.0,
        title="Stop loss",
        description="Distance of the stop from the entry price.",
        json_schema_extra={"unit": _OF_ENTRY, "affects": "rules", "step": least},
    )


def take_profit(
    default: float,
    *,
    least: float = 0.1,
    most: float = 500.0,
    affects: str = "rules",
    remark: str = "",
) -> Any:
    """Return the distance of the target from the entry price; *least* is its step as well."""
    return Field(
        default=default,
        ge=least,
        le=most,
        title="Take profit",
        description=f"Distance of the target from the entry price{remark}.",
        json_schema_extra={"unit": _OF_ENTRY, "affects": affects, "step": least},
    )


def risk_per_trade(default: float, *, most: float = 10.0) -> Any:
    """Return how much of the capital a stop loses."""
    return Field(
        default=default,
        ge=0.1,
        le=most,
        title="Risk per trade",
        description="How much of the capital is lost when a trade ends at its stop.",
        json_schema_extra={"unit": "% of capital", "affects": "rules", "step": 0.1},
    )


def position_size(default: float) -> Any:
    """Return the worth of an entry as a part of the capital."""
    return Field(
        default=default,
        ge=0.1,
        le=100.0,
        title="Position size",
        description="Worth of a position at its entry.",
        json_schema_extra={"unit": "% of capital", "affects": "rules", "step": 0.1},
    )


def trades_per_session(default: int) -> Any:
    """Return how many entries a session may have."""
    return Field(
        default=default,
        ge=0,
        le=1_000,
        title="Trades per session",
        description="Most entries in a session; 0 for any number.",
        json_schema_extra={"affects": "rules"},
    )


def session_zone(default: str) -> Any:
    """Return the zone that a session's times are in; its type is ``ZoneName``."""
    return Field(
        default=default,
        title="Time zone",
        description=(
            "Zone of the session's times: any of the IANA database, such as UTC, America/New_York, "
            "Europe/London, Europe/Berlin, Asia/Kolkata, Asia/Tokyo or Australia/Sydney."
        ),
        json_schema_extra={"affects": "signal"},
    )


def flat_at_session_end(default: bool) -> Any:
    """Return whether a session's end closes a position."""
    return Field(
        default=default,
        title="Flat at the end",
        description="Whether a position is closed when the session ends.",
        json_schema_extra={"affects": "signal"},
    )


def weekdays_only(default: bool) -> Any:
    """Return whether there are sessions on weekends."""
    return Field(
        default=default,
        title="Weekdays only",
        description="Whether there are sessions from Monday to Friday only.",
        json_schema_extra={"affects": "signal"},
    )
