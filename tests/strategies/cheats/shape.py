"""What the cheats have in common with any strategy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Risk, StrategyParams
from strategies.signals import Signals

CATEGORY = Category.MOMENTUM
RISK = Risk.HIGH
VERSION = "1.0.0"


class CheatParams(StrategyParams):
    """Whether it cheats, or is its honest twin."""

    cheats: bool = Field(
        default=True,
        title="Cheats",
        description="Whether it uses what it cannot know.",
        json_schema_extra={"affects": "signal"},
    )


def rules(params: CheatParams) -> Rules:
    """Return a plain bracket."""
    return Rules(
        stop_percent=2.0,
        target_percent=4.0,
        sizing=SizingMode.RISK,
        size=1.0,
        **params.common_rules(),
    )


def overlays(view: Any, params: CheatParams) -> Sequence[Overlay]:
    """Return no lines."""
    return ()


def long_where(enters: NDArray[np.bool_], ready_from: int = 0) -> Signals:
    """Return signals that go long where *enters*, and out where not, from a bar on."""
    no = np.zeros_like(enters)
    ready = np.ones_like(enters)
    ready[..., :ready_from] = False
    return Signals(enters, no, ~enters, no, ready)
