"""What a strategy says of itself: its parameters, its needs and its lines in a chart."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import PydanticCustomError

from market.timeframes import MINUTE_MS, Timeframe
from strategies.rules import TradeDirection

#: Marks a rule between parameters that is broken; see ``inconsistent``.
INCONSISTENT: Final = "inconsistent"


class Category(StrEnum):
    """What kind of idea a strategy is."""

    TREND_FOLLOWING = "TREND_FOLLOWING"
    MEAN_REVERSION = "MEAN_REVERSION"
    BREAKOUT = "BREAKOUT"
    MOMENTUM = "MOMENTUM"
    ACCUMULATION = "ACCUMULATION"


class Risk(StrEnum):
    """How much a strategy may lose, as the catalogue says it."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class StrategyParams(BaseModel):
    """The parameters of one strategy: strict types, unknown names refused, immutable.

    Each field declares bounds, title and description, and in ``json_schema_extra`` its ``unit`` and
    what it ``affects``: ``"signal"`` (then people with different values cannot share a computation)
    or ``"rules"``. A choice is a ``Literal`` of texts. The fields here are those of every strategy;
    ``rules`` hands them on with ``**params.common_rules()``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    direction: Literal["BOTH", "LONG", "SHORT"] = Field(
        default="BOTH",
        title="Direction",
        description="Which way it may trade; on spot markets only long.",
        json_schema_extra={
            "affects": "rules",
            "labels": {"BOTH": "Both ways", "LONG": "Long only", "SHORT": "Short only"},
        },
    )
    leverage: int = Field(
        default=1,
        ge=1,
        le=20,
        title="Leverage",
        description="How many times the equity may be exposed. It caps sizes and never raises risk.",
        json_schema_extra={"unit": "x", "affects": "rules"},
    )
    max_trades_per_day: int = Field(
        default=0,
        ge=0,
        le=1_000,
        title="Trades per day",
        description="Most entries in a UTC day or session; 0 for any number.",
        json_schema_extra={"affects": "rules"},
    )
    cooldown_bars: int = Field(
        default=0,
        ge=0,
        le=10_000,
        title="Cooldown",
        description="How long after an exit nothing is entered.",
        json_schema_extra={"unit": "bars", "affects": "rules"},
    )

    def common_rules(self) -> dict[str, Any]:
        """Return what every strategy's ``Rules`` take from here, by name."""
        return {
            "direction": TradeDirection(self.direction),
            "leverage": float(self.leverage),
            "max_trades_per_day": self.max_trades_per_day,
            "cooldown_bars": self.cooldown_bars,
        }

    @classmethod
    def model_json_schema(
        cls,
        by_alias: bool | None = True,
        ref_template: str = "#/$defs/{model}",
        schema_generator: type[GenerateJsonSchema] = GenerateJsonSchema,
        mode: JsonSchemaMode = "validation",
        **more: Any,
    ) -> dict[str, Any]:
        """Return the JSON Schema with a strategy's own parameters in front of the common ones."""
        schema = super().model_json_schema(by_alias, ref_template, schema_generator, mode, **more)
        common = StrategyParams.model_fields
        properties = schema.get("properties", {})
        schema["properties"] = dict(sorted(properties.items(), key=lambda each: each[0] in common))
        return schema


def inconsistent(field: str, message: str) -> PydanticCustomError:
    """Return the error that a validator raises when *field* does not fit the other parameters."""
    # Braces would be taken for placeholders.
    escaped = message.replace("{", "{{").replace("}", "}}")
    return PydanticCustomError(INCONSISTENT, escaped, {"field": field})


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a strategy needs before it may speak.

    Parameters
    ----------
    warm_up_bars, warm_up_ms
        History in front of the first decision, in bars and in time; the longer one counts.
    timeframes
        Timeframes above its own that it looks at.
    longest_timeframe
        The longest bars that it makes sense on.
    shortest_timeframe
        The shortest ones; a long warm-up would be millions of shorter bars.
    needs_short
        Whether it is pointless where nothing can be sold short.
    rests_entries
        Whether it enters by orders that rest, limits or stops, and not only at market.
    needs_universe
        Whether it looks at many symbols at once: it gets a ``UniverseView``.
    day_marks_ms
        Instants within the UTC day, in ms, at which a bar has to begin: the ends of its sessions.
    """

    warm_up_bars: int
    timeframes: tuple[Timeframe, ...] = ()
    needs_short: bool = False
    warm_up_ms: int = 0
    longest_timeframe: Timeframe | None = None
    needs_universe: bool = False
    rests_entries: bool = False
    day_marks_ms: tuple[int, ...] = ()
    shortest_timeframe: Timeframe | None = None

    def bars(self, timeframe: Timeframe) -> int:
        """Return the bars of *timeframe* in front of the first decision."""
        return max(self.warm_up_bars, -(-self.warm_up_ms // timeframe.milliseconds))

    def objection(self, timeframe: Timeframe) -> str:
        """Return in a sentence why it cannot run on *timeframe*; empty if it can."""
        longest = self.longest_timeframe
        if longest is not None and timeframe.milliseconds > longest.milliseconds:
            return f"It needs bars of at most {longest}, not {timeframe}."
        shortest = self.shortest_timeframe
        if shortest is not None and timeframe.milliseconds < shortest.milliseconds:
            return f"It needs bars of at least {shortest}, not {timeframe}."
        for higher in self.timeframes:
            if higher.milliseconds <= timeframe.milliseconds:
                return f"Its higher timeframe {higher} must be longer than its bars of {timeframe}."
            if not higher.is_made_of(timeframe):
                return f"Its higher timeframe {higher} is no whole number of bars of {timeframe}."
        for mark in self.day_marks_ms:
            if mark % timeframe.milliseconds:
                hour, minute = divmod(mark // MINUTE_MS, 60)
                at = f"{hour:02}:{minute:02} UTC"
                return f"It needs a bar that begins at {at}, and those of {timeframe} do not."
        return ""


class Overlay(NamedTuple):
    """One line to draw with the candles: shape ``(n,)``, NaN where it is undefined.

    Of a universe one line for each symbol, shape ``(symbols, n)``. A line without a *pane* is drawn
    over the candles, on their scale; the others stand below them, those of one pane together on a
    scale of their own.
    """

    name: str
    values: NDArray[np.float64]
    pane: str = ""
