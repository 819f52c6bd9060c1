"""The pages of checks that are looked at in a browser."""

from accounts.models import User
from backtesting.models import RunStatus, StrategyCheck
from tests.factories.backtesting import make_market
from tests.factories.billing import with_plan
from tests.factories.checks import make_caught_check, make_check, make_done_check
from tests.factories.strategies import make_catalogue
from tests.web.pages import PageCase

_STRATEGY = "/checks/ema-crossover/"


def _address(check: StrategyCheck) -> str:
    return f"/checks/results/{check.public_id}/"


def _empty(person: User) -> str:
    make_catalogue()
    return _STRATEGY


def _published(person: User) -> str:
    make_market()
    with_plan(person)
    make_done_check(person, is_published=True)
    make_check(person, parameters={"short_ema_period": 7})
    return _STRATEGY


def _caught(person: User) -> str:
    make_market()
    return _address(make_caught_check(with_plan(person)))


def _waiting(person: User) -> str:
    make_market()
    return _address(make_check(with_plan(person)))


def _failed(person: User) -> str:
    make_market()
    check = make_check(with_plan(person))
    check.status, check.error_code = RunStatus.FAILED, "strategy_failed"
    check.error_message = "“EMA crossover” broke in its signals: ZeroDivisionError, line 92."
    check.save()
    return _address(check)


CHECK_PAGES = (
    PageCase("checks", _published),
    PageCase("checks-empty", _empty),
    PageCase("check-caught", _caught),
    PageCase("check-waiting", _waiting),
    PageCase("check-failed", _failed),
)
