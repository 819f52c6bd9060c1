"""Checks of strategies on the market of ``factories.backtesting``."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from accounts.models import User
from backtesting.domain.checks import check_strategy
from backtesting.models import StrategyCheck
from backtesting.selectors import specifications as stored
from backtesting.services import checking, checks, specifications
from foundation.audit import Actor
from strategies.registry import definition_of
from tests.factories.backtesting import NOW, wish
from tests.strategies.cheats import tomorrows_close


def make_check(owner: User, *, now: datetime = NOW, **changes: Any) -> StrategyCheck:
    """Return a waiting check; the market has to be there."""
    wanted = {name: value for name, value in wish(**changes).items() if name != "capital"}
    return checks.request_check(owner=owner, by=Actor.person(owner.pk), now=now, **wanted)


def make_done_check(owner: User, *, now: datetime = NOW, **changes: Any) -> StrategyCheck:
    """Return a check with its report; the market has to be there."""
    check = make_check(owner, now=now, **changes)
    checking.execute_check(check_id=check.pk)
    check.refresh_from_db()
    return check


def make_caught_check(owner: User) -> StrategyCheck:
    """Return a done check with the report of a strategy that looks at tomorrow."""
    check = make_done_check(owner)
    specification = specifications.specify(**wish(), now=NOW)
    cheat = definition_of(tomorrows_close)
    cheating = replace(specification, definition=cheat, params=cheat.default_params())
    report = check_strategy(cheating, stored.candles_of(specification))
    check.verdict, check.results = report.verdict.value, report.to_json()
    check.save()
    return check
