"""How a limit is written in the settings, which may not import what needs them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most *count* calls in *period_s* seconds; *is_closed_without_counters* while Redis is away."""

    count: int
    period_s: int
    is_closed_without_counters: bool = False
