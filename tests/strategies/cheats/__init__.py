"""Strategies that cheat, each in its own way, to prove that the checks notice.

Each is a strategy of the usual shape; its parameter ``cheats`` switches to the honest twin. They are
in no registry and are never offered.
"""

from types import ModuleType

from tests.strategies.cheats import (
    call_counter,
    ranks_of_tomorrow,
    short_warm_up,
    tomorrows_close,
    two_sided_smoother,
    unclosed_higher_bar,
    whole_sample_normalization,
)

ALL: tuple[ModuleType, ...] = (
    call_counter,
    ranks_of_tomorrow,
    short_warm_up,
    tomorrows_close,
    two_sided_smoother,
    unclosed_higher_bar,
    whole_sample_normalization,
)
