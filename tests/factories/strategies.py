"""The catalogue as a fresh installation has it."""

from datetime import UTC, datetime

from strategies.models import StrategyVersion
from strategies.selectors import catalogue as selectors
from strategies.services import catalogue

_RELEASED_AT = datetime(2024, 1, 1, tzinfo=UTC)


def make_catalogue() -> None:
    """Write every strategy of the registry down."""
    catalogue.sync_catalogue(now=_RELEASED_AT)


def make_version(slug: str = "ema-crossover") -> StrategyVersion:
    """Return the newest version of a strategy of the registry."""
    make_catalogue()
    return selectors.current_version(selectors.get_strategy(slug))
