"""What the environment says about the candles that this machine keeps at hand."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.venue_calls import Reader

CANDLE_CACHE_NAMES: Final = ("CANDLE_CACHE_FOLDER", "CANDLE_CACHE_MB")


@dataclass(frozen=True, slots=True)
class CandleCache:
    """Where, and how many megabytes at most; 0 for none. See docs/deployment.md."""

    folder: Path
    megabytes: int

    @classmethod
    def read(cls, reader: Reader) -> "CandleCache":
        """Return what the variables say, with what is usual for those that are not set."""
        # One for each person of the machine: nobody computes on files of somebody else.
        usual = Path(tempfile.gettempdir()) / f"candles-{os.getuid()}"
        return cls(
            folder=Path(reader.text("CANDLE_CACHE_FOLDER", "") or usual),
            megabytes=int(reader.number("CANDLE_CACHE_MB", 128, low=0, high=1_000_000)),
        )
