"""The pages of the catalogue that are looked at in a browser."""

from accounts.models import User
from tests.factories.strategies import make_catalogue
from tests.web.pages import PageCase, at


def _list(person: User) -> str:
    make_catalogue()
    return "/strategies/"


def _detail(person: User) -> str:
    make_catalogue()
    return "/strategies/ema-crossover/"


PAGES = [
    PageCase("strategies", _list),
    PageCase("strategies-empty", at("/strategies/")),
    PageCase("strategy", _detail),
]
