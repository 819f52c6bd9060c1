"""Lists of backtests for operators."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from backtesting.models import (
    AwaitedRun,
    BacktestRun,
    BacktestTrade,
    StrategyCheck,
    Sweep,
    SweepChunk,
)
from backtesting.services import checks, runs, sweeps
from foundation.admin import Deed, DeedAdmin, ReadOnlyAdmin
from foundation.admin.deeds import now
from foundation.audit import Actor


def _cancel(run: BacktestRun, by: Actor, _: Mapping[str, Any]) -> None:
    runs.cancel_run(run_id=run.pk, by=by, now=now())


def _cancel_sweep(sweep: Sweep, by: Actor, _: Mapping[str, Any]) -> None:
    sweeps.cancel_sweep(sweep_id=sweep.pk, by=by, now=now())


DEEDS: Final = (
    Deed(
        name="cancel",
        label="Cancel",
        done="canceled",
        text="A waiting run ends at once, the worker of a running one stops soon. Its owner sees it as canceled.",
        permission="backtesting.change_backtestrun",
        perform=_cancel,
        applies_to=lambda run: not run.is_finished and not run.cancel_requested,
        is_dangerous=True,
    ),
)

SWEEP_DEEDS: Final = (
    Deed(
        name="cancel",
        label="Cancel",
        done="canceled",
        text="Its workers stop soon. Its owner sees it as canceled, with the trials so far.",
        permission="backtesting.change_sweep",
        perform=_cancel_sweep,
        applies_to=lambda sweep: not sweep.is_finished and not sweep.cancel_requested,
        is_dangerous=True,
    ),
)


class WorkAdmin(DeedAdmin):
    """What workers compute from a specification."""

    search_fields = ("public_id", "owner__email", "spec_hash", "error_code")
    list_select_related = ("owner", "strategy_version__strategy", "instrument")
    date_hierarchy = "requested_at"
    ordering = ("-id",)


@admin.register(BacktestRun)
class BacktestRunAdmin(WorkAdmin):
    """Runs and where they stand."""

    deeds = DEEDS
    list_display = (
        "public_id",
        "owner",
        "strategy_version",
        "instrument",
        "timeframe",
        "status",
        "progress",
        "attempts",
        "requested_at",
        "finished_at",
    )
    list_filter = ("status", "timeframe", "strategy_version__strategy")
    exclude = ("equity", "notes")
    export_fields = (
        "public_id",
        "owner__email",
        "strategy_version",
        "instrument",
        "timeframe",
        "from_at",
        "to_at",
        "status",
        "error_code",
        "requested_at",
        "finished_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[BacktestRun]:
        """Leave the curves where they are."""
        rows: QuerySet[BacktestRun] = super().get_queryset(request)
        return rows.defer("equity")


@admin.register(BacktestTrade)
class BacktestTradeAdmin(ReadOnlyAdmin):
    """Trades of all runs."""

    list_display = (
        "run",
        "number",
        "owner",
        "direction",
        "entry_at",
        "exit_at",
        "quantity",
        "pnl",
        "exit_reason",
    )
    list_filter = ("direction", "exit_reason", "is_open")
    search_fields = ("run__public_id", "owner__email")
    list_select_related = ("run", "owner")
    ordering = ("-id",)


@admin.register(Sweep)
class SweepAdmin(WorkAdmin):
    """Sweeps and where they stand."""

    deeds = SWEEP_DEEDS
    list_display = (
        "public_id",
        "owner",
        "strategy_version",
        "instrument",
        "timeframe",
        "method",
        "status",
        "progress",
        "trials_done",
        "trials_planned",
        "requested_at",
        "finished_at",
    )
    list_filter = ("status", "method", "timeframe", "strategy_version__strategy")
    export_fields = (
        "public_id",
        "owner__email",
        "strategy_version",
        "instrument",
        "timeframe",
        "method",
        "objective",
        "trials_done",
        "status",
        "error_code",
        "requested_at",
        "finished_at",
    )


@admin.register(SweepChunk)
class SweepChunkAdmin(ReadOnlyAdmin):
    """The chunks of all sweeps, for whoever looks why one does not move."""

    list_display = (
        "sweep",
        "number",
        "owner",
        "status",
        "trial_count",
        "evaluated",
        "attempts",
        "lease_until",
    )
    list_filter = ("status",)
    search_fields = ("sweep__public_id", "owner__email")
    list_select_related = ("sweep", "owner")
    ordering = ("-id",)
    exclude = ("points", "figures")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SweepChunk]:
        """Leave the trials where they are."""
        rows: QuerySet[SweepChunk] = super().get_queryset(request)
        return rows.defer("points", "figures")


def _cancel_check(check: StrategyCheck, by: Actor, _: Mapping[str, Any]) -> None:
    checks.cancel_check(check_id=check.pk, by=by, now=now())


def _repeat_check(check: StrategyCheck, by: Actor, _: Mapping[str, Any]) -> str:
    checks.repeat_check(check_id=check.pk, by=by, now=now())
    return "A worker is asked for the same check with the code and the candles as they are now."


@admin.register(StrategyCheck)
class StrategyCheckAdmin(WorkAdmin):
    """Checks of strategies and what they found."""

    deeds = (
        Deed(
            name="repeat",
            label="Check again",
            done="asked for again",
            text="A worker does the same check with the present code and candles, for the same person. A published one takes the place of this one.",
            permission="backtesting.change_strategycheck",
            perform=_repeat_check,
            applies_to=lambda check: check.is_finished,
        ),
        Deed(
            name="cancel",
            label="Cancel",
            done="canceled",
            text="A waiting check ends at once, the worker of a running one stops soon.",
            permission="backtesting.change_strategycheck",
            perform=_cancel_check,
            applies_to=lambda check: not check.is_finished and not check.cancel_requested,
            is_dangerous=True,
        ),
    )
    list_display = (
        "public_id",
        "owner",
        "strategy_version",
        "instrument",
        "timeframe",
        "is_published",
        "status",
        "verdict",
        "requested_at",
        "finished_at",
    )
    list_filter = ("status", "verdict", "is_published", "strategy_version__strategy")
    export_fields = (
        "public_id",
        "owner__email",
        "strategy_version",
        "instrument",
        "timeframe",
        "from_at",
        "to_at",
        "is_published",
        "status",
        "verdict",
        "requested_at",
        "finished_at",
    )


@admin.register(AwaitedRun)
class AwaitedRunAdmin(ReadOnlyAdmin):
    """Backtests that wait for candles, and what became of them."""

    list_display = (
        "public_id",
        "owner",
        "strategy_slug",
        "status",
        "progress",
        "error_message",
        "requested_at",
        "finished_at",
    )
    list_filter = ("status", "strategy_slug")
    search_fields = ("public_id", "owner__email", "error_code")
    list_select_related = ("owner",)
    date_hierarchy = "requested_at"
    ordering = ("-id",)
