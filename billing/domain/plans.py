"""The plans that an installation begins with; an operator's later changes are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from billing.domain.limits import Limit


@dataclass(frozen=True, slots=True)
class PlanDefinition:
    """A plan as it is first written down; a limit of None is no limit."""

    code: str
    name: str
    rank: int
    summary: str
    limits: Mapping[Limit, int | None]
    is_default: bool = False


FREE: Final = PlanDefinition(
    code="plan:free",
    name="Free",
    rank=0,
    summary="Try strategies on recorded candles and on paper.",
    limits=MappingProxyType(
        {
            Limit.LIVE_DEPLOYMENTS: 0,
            Limit.PAPER_DEPLOYMENTS: 3,
            Limit.EXCHANGE_ACCOUNTS: 3,
            Limit.BACKTESTS_PER_DAY: 20,
            Limit.BARS_PER_RUN: 500_000,
            Limit.TRIALS_PER_SWEEP: 500,
        }
    ),
    is_default=True,
)

PRO: Final = PlanDefinition(
    code="plan:pro",
    name="Pro",
    rank=10,
    summary="Trade live with a handful of strategies.",
    limits=MappingProxyType(
        {
            Limit.LIVE_DEPLOYMENTS: 5,
            Limit.PAPER_DEPLOYMENTS: 20,
            Limit.EXCHANGE_ACCOUNTS: 10,
            Limit.BACKTESTS_PER_DAY: 200,
            Limit.BARS_PER_RUN: None,
            Limit.TRIALS_PER_SWEEP: 20_000,
        }
    ),
)

DESK: Final = PlanDefinition(
    code="plan:desk",
    name="Desk",
    rank=20,
    summary="Everything this installation can do.",
    limits=MappingProxyType(dict.fromkeys(Limit)),
)

DEFINITIONS: Final = (FREE, PRO, DESK)
