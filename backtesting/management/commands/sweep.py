"""``manage.py sweep``: many combinations of parameters on recorded candles."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.utils import timezone

from backtesting import sweep_reports
from backtesting.domain.objectives import OBJECTIVES
from backtesting.domain.searches import Method
from backtesting.domain.trials import Trials
from backtesting.management import arguments, sweep_arguments, sweep_text
from backtesting.models import RunStatus, Sweep
from backtesting.selectors import sweeps as selectors
from backtesting.services import chunks, sweep_computing, sweep_plans, sweeps
from backtesting.services.sweep_plans import SweepWish
from foundation.audit import Actor
from foundation.commands import PlatformCommand
from market.errors import ConflictError, FieldProblem, NotFoundError

_POLL_S: Final = 0.2


class Command(PlatformCommand):
    """Sweep the parameters of a strategy and print the best trials."""

    help = "Try many combinations of parameters, with the same numbers as page and API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        sweep_arguments.declare(parser)

    def handle(self, *args: object, **options: Any) -> None:
        """Compute the sweep, for a person if one is named, and print it."""
        wish = _wish(options)
        trials = _stored(options["owner"], wish) if options["owner"] else self._tried_out(wish)
        if options["csv"]:
            lines = sweep_reports.csv_lines(trials)
            Path(options["csv"]).write_text("".join(lines), encoding="utf-8", newline="")
        if options["json"]:
            told = [sweep_reports.present_trial(trials, index) for index in range(len(trials))]
            self.stdout.write(json.dumps({"trials": told}, indent=2))
            return
        objective = OBJECTIVES[wish.objective]
        for line in sweep_text.lines(
            trials, objective, least_trades=wish.least_trades, most=options["top"]
        ):
            self.stdout.write(line)

    def _tried_out(self, wish: SweepWish) -> Trials:
        plan = sweep_plans.plan_sweep(wish, now=timezone.now())
        planned = plan.trials_planned

        def show(done: int) -> None:
            if self.stderr.isatty():
                self.stderr.write(f"\r{done:,} of {planned:,}", ending="")

        trials = sweep_computing.try_out(plan, progress=show)
        if self.stderr.isatty():
            self.stderr.write("\r", ending="\r")
        return trials


def _stored(email: str, wish: SweepWish) -> Trials:
    owner = get_user_model().objects.filter(email=email.strip().lower()).first()
    if owner is None:
        raise NotFoundError("Nobody is registered with this address.")
    by = Actor.system("sweep command")
    sweep = sweeps.request_sweep(owner=owner, wish=wish, by=by, now=timezone.now())
    # Workers may take chunks as well; this process takes those that are left, then waits for them.
    while not _finished(sweep):
        chunks.work_on_sweep(sweep_id=sweep.pk, now=timezone.now())
        if not _finished(sweep) and not selectors.has_waiting_chunk(sweep):
            time.sleep(_POLL_S)
    if sweep.status != RunStatus.DONE:
        code = sweep.error_code or "canceled"
        message = sweep.error_message or "The sweep was canceled."
        raise ConflictError(message, problems=[FieldProblem("sweep", code, message)])
    return selectors.trials_of(sweep)


def _finished(sweep: Sweep) -> bool:
    sweep.refresh_from_db()
    return sweep.is_finished


def _wish(options: Mapping[str, Any]) -> SweepWish:
    return SweepWish(
        strategy_slug=options["strategy"],
        market=options["market"],
        universe=options["universe"],
        timeframe=options["timeframe"],
        from_at=options["from_at"],
        to_at=options["to_at"],
        space=sweep_arguments.space_of(options),
        parameters=arguments.parameters_of(options),
        parameters_are_text=True,
        method=Method(options["method"].upper()).value,
        objective=options["objective"],
        trials=options["trials"],
        least_trades=options["least_trades"],
        seed=options["seed"],
        capital=options["capital"],
        fee_bps=options["fee_bps"],
        slippage_bps=options["slippage_bps"],
        funding_bps=options["funding_bps"],
    )
