"""What checks of a strategy are called, and what they can come to."""

from enum import StrEnum
from typing import Final

#: Checks by backtests, beside those of ``strategies.causality``.
COSTS: Final = "COSTS"
PARAMETERS: Final = "PARAMETERS"


class Verdict(StrEnum):
    """What a check, or all of them together, came to."""

    PASSED = "PASSED"
    #: Nothing is wrong with the code, but its results do not stand on firm ground.
    WARNING = "WARNING"
    FAILED = "FAILED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
