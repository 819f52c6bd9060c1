"""Checks of strategies on the market of ``factories.backtesting``."""

from datetime import datetime
from typing import Any

from accounts.models import User
from backtesting.models import StrategyCheck
from backtesting.services import checking, checks
from foundation.audit import Actor
from tests.factories.backtesting import NOW, wish


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
