"""The pages of the catalogue that are looked at in a browser."""

from accounts.models import User
from strategies.models import Strategy
from tests.factories import billing
from tests.factories.evidence import make_evidence
from tests.factories.strategies import make_catalogue
from tests.web.pages import PageCase, at

_LONG_NAME = "Momentum of the strongest among very many markets, rebalanced each Monday morning UTC"


def _list(person: User) -> str:
    make_evidence()
    billing.set_price()
    return "/strategies/"


def _many(person: User) -> str:
    make_evidence()
    Strategy.objects.bulk_create(
        Strategy(
            slug=f"idea-{number}",
            name=_LONG_NAME if number == 1 else f"Idea {number}",
            category="MOMENTUM",
            risk=("LOW", "MEDIUM", "HIGH")[number % 3],
            summary="Buys what has risen most and sells it when others have risen more. " * 3,
            is_featured=number == 2,
        )
        for number in range(60)
    )
    return "/strategies/?sort=name"


def _nothing_fits(person: User) -> str:
    make_catalogue()
    return "/strategies/?risk=LOW&q=no+such+idea"


def _detail(person: User) -> str:
    make_catalogue()
    return "/strategies/ema-crossover/"


def _long_warm_up(person: User) -> str:
    """The strategy with the most parameters, and no backtest to show."""
    make_catalogue()
    return "/strategies/cpr-daily/"


def _proven(person: User) -> str:
    make_evidence()
    billing.set_price()
    return "/strategies/ema-crossover/"


PAGES = [
    PageCase("strategies", _list),
    PageCase("strategies-many", _many),
    PageCase("strategies-nothing-fits", _nothing_fits),
    PageCase("strategies-empty", at("/strategies/")),
    PageCase("strategy", _detail),
    PageCase("strategy-long-warm-up", _long_warm_up),
    PageCase("strategy-proven", _proven),
]
