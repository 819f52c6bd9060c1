"""Parameters that are times of day and time zones, as pydantic checks them."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from strategies.indicators.sessions import minute_of


def _clock_time(text: str) -> str:
    try:
        minute_of(text)
    except ValueError:
        raise PydanticCustomError(
            "clock_time",
            "“{given}” is no time of day; write it like 09:30",
            {"given": text[:20]},
        ) from None
    return text


def _clock_time_or_none(text: str) -> str:
    return text if text == "none" else _clock_time(text)


def _zone(text: str) -> str:
    # Names without an area can mean another zone on another machine.
    known = text == "UTC" or ("/" in text and not text.startswith(("posix/", "right/")))
    try:
        if known:
            ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        known = False
    if not known:
        raise PydanticCustomError(
            "time_zone",
            "“{given}” is no time zone; write it like America/New_York or UTC",
            {"given": text[:40]},
        )
    return text


#: ``"09:30"``, on a clock of 24 hours.
ClockTime = Annotated[str, AfterValidator(_clock_time)]
#: A time of day, or ``"none"``.
ClockTimeOrNone = Annotated[str, AfterValidator(_clock_time_or_none)]
#: A zone of the IANA database by its name, or UTC.
ZoneName = Annotated[str, AfterValidator(_zone)]
