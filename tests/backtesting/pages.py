"""The pages of backtesting that are looked at in a browser."""

from decimal import Decimal

from accounts.models import User
from backtesting.models import BacktestRun, RunStatus
from tests.factories.backtesting import make_done_run, make_market, make_run
from tests.web.pages import PageCase, at


def _address(run: BacktestRun) -> str:
    return f"/backtests/{run.public_id}/"


def _list(person: User) -> str:
    make_market()
    make_done_run(person)
    make_run(person, capital=Decimal(2_000))
    return "/backtests/"


def _form(person: User) -> str:
    make_market()
    return "/backtests/new/?strategy=ema-crossover"


def _done(person: User) -> str:
    make_market()
    return _address(make_done_run(person))


def _waiting(person: User) -> str:
    make_market()
    return _address(make_run(person))


def _failed(person: User) -> str:
    make_market()
    run = make_run(person)
    run.status = RunStatus.FAILED
    run.error_code, run.error_message = "time_limit", "It took too long. Choose a shorter window."
    run.save()
    return _address(run)


PAGES = [
    PageCase("backtests", _list),
    PageCase("backtests-empty", at("/backtests/")),
    PageCase("backtest-new", _form),
    PageCase("backtest-new-empty", at("/backtests/new/")),
    PageCase("backtest-done", _done),
    PageCase("backtest-waiting", _waiting),
    PageCase("backtest-failed", _failed),
]
