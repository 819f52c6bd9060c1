"""A plugin of pytest: which tests of a parallel run share a worker, and which begin first.

The files of a suite are as different as a sum and a platform of ten processes. What shares
something costly stays together, what takes long begins early, and small things fill the end.
"""

from typing import Final

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]  # it brings no types
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

#: The journeys: two pieces of work, as each needs a running platform of its own.
_JOURNEYS: Final = "tests/flows/"
_OF_PEOPLE: Final = (
    "tests/flows/test_browser_journey.py",
    "tests/flows/test_money_journey.py",
    "tests/flows/test_secrets_stay_secret.py",
)
#: What takes long begins right after them.
_LONG: Final = (
    "tests/crash/test_matrix.py",
    "tests/web/test_migrate.py",
    "tests/admin/test_lists.py",
    "tests/billing/test_money_machine.py",
)
#: Tests of these files have nothing in common; one at a time, they level the end.
_APART: Final = ("tests/web/test_pages.py",)


class Distribution(LoadScopeScheduling):  # type: ignore[misc]  # xdist says little of its types
    """Hands out file by file, the long ones first."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path.startswith(_JOURNEYS):
            return f"{_JOURNEYS}{'people' if path in _OF_PEOPLE else 'machines'}"
        return nodeid if path in _APART else path

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=_turn), last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Distribution | None:
    """Distribute the suite in this way where it is asked for (``--dist loadscope``)."""
    return Distribution(config, log) if config.getvalue("dist") == "loadscope" else None


def _turn(scope: str) -> int:
    if scope.startswith(_JOURNEYS):
        return 0
    if scope in _LONG:
        return 1
    return 3 if scope.startswith(_APART) else 2
