"""Instants of lists, in UTC; the platform's own pages write them in the zone of the reader."""

from typing import Final

DATETIME_FORMAT: Final = "j M Y, H:i:s"
SHORT_DATETIME_FORMAT: Final = DATETIME_FORMAT
DATE_FORMAT: Final = "j M Y"
SHORT_DATE_FORMAT: Final = DATE_FORMAT
TIME_FORMAT: Final = "H:i:s"
