"""What a worker measures of its calls to venues."""

from typing import Final

from prometheus_client import Counter, Histogram

CALL_WAIT_SECONDS: Final = Histogram(
    "platform_venue_call_wait_seconds",
    "Time that a call waited for its turn in the budget of its venue.",
    ["venue", "priority"],
    buckets=(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
CALLS_REFUSED: Final = Counter(
    "platform_venue_calls_refused",
    "Calls that were not sent: no room in time, or a venue that is taken for broken.",
    ["venue", "priority", "reason"],
)
VENUE_BANS: Final = Counter(
    "platform_venue_bans", "Answers by which a venue asked for a pause.", ["venue", "status"]
)
BUDGET_ALONE: Final = Counter(
    "platform_venue_budget_alone",
    "Times that a process went on with its own part of a budget because Redis was away.",
    ["venue"],
)
