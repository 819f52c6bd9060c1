"""What a plan limits, and how a person is told about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Limit(StrEnum):
    """Something that a plan allows a number of; the value is the name of the plan's column."""

    LIVE_DEPLOYMENTS = "live_deployments"
    PAPER_DEPLOYMENTS = "paper_deployments"
    EXCHANGE_ACCOUNTS = "exchange_accounts"
    BACKTESTS_PER_DAY = "backtests_per_day"
    BARS_PER_RUN = "bars_per_run"
    TRIALS_PER_SWEEP = "trials_per_sweep"


#: Limits that hold for each thing by itself, so that nothing is counted up.
EACH_BY_ITSELF: Final = frozenset({Limit.BARS_PER_RUN, Limit.TRIALS_PER_SWEEP})


@dataclass(frozen=True, slots=True)
class LimitWords:
    """A limit in words; ``one`` and ``many`` go into sentences, ``remedy`` is what a person can do at once."""

    title: str
    one: str
    many: str
    counts: str
    resets: str
    remedy: str

    def counted(self, number: int) -> str:
        """Return *number* with its noun."""
        return f"{number:,} {self.one if number == 1 else self.many}"


WORDS: Final[Mapping[Limit, LimitWords]] = MappingProxyType(
    {
        Limit.LIVE_DEPLOYMENTS: LimitWords(
            "Live deployments",
            "live deployment",
            "live deployments",
            "Deployments that have not ended, on exchanges with real money.",
            "Free again when a deployment has ended.",
            "Stop one of them",
        ),
        Limit.PAPER_DEPLOYMENTS: LimitWords(
            "Paper deployments",
            "paper deployment",
            "paper deployments",
            "Deployments that have not ended, on paper accounts and simulated exchanges.",
            "Free again when a deployment has ended.",
            "Stop one of them",
        ),
        Limit.EXCHANGE_ACCOUNTS: LimitWords(
            "Exchange accounts",
            "exchange account",
            "exchange accounts",
            "Open accounts with an API key; paper accounts do not count.",
            "Free again when an account is closed.",
            "Close one of them",
        ),
        Limit.BACKTESTS_PER_DAY: LimitWords(
            "Backtests today",
            "backtest a day",
            "backtests a day",
            "Backtests and sweeps asked for today; asking again for one that is there does not count.",
            "Starts again at 00:00 UTC.",
            "Wait until 00:00 UTC",
        ),
        Limit.BARS_PER_RUN: LimitWords(
            "Bars in one backtest",
            "bar in one backtest",
            "bars in one backtest",
            "The bars of the window, without those of the warm-up.",
            "Holds for each backtest by itself.",
            "Choose a shorter window or a longer timeframe",
        ),
        Limit.TRIALS_PER_SWEEP: LimitWords(
            "Trials in one sweep",
            "trial in one sweep",
            "trials in one sweep",
            "The combinations of parameters that one sweep tries.",
            "Holds for each sweep by itself.",
            "Try fewer combinations",
        ),
    }
)
