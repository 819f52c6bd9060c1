"""The runs that the walk of all addresses tries as another person."""

from collections.abc import Mapping
from uuid import UUID

from accounts.models import User
from tests.factories.backtesting import make_done_run, make_market
from tests.factories.checks import make_check
from tests.factories.sweeps import make_done_sweep


def _run(owner: User) -> Mapping[str, UUID]:
    make_market()
    return {"public_id": make_done_run(owner).public_id}


def _check(owner: User) -> Mapping[str, UUID]:
    make_market()
    return {"public_id": make_check(owner).public_id}


def _sweep(owner: User) -> Mapping[str, UUID]:
    make_market()
    return {"public_id": make_done_sweep(owner).public_id}


OWNED_OBJECTS = {
    "backtesting": _run,
    "backtesting-api": _run,
    "checks": _check,
    "checks-api": _check,
    "sweeps": _sweep,
    "sweeps-api": _sweep,
}
