"""``manage.py killswitch on --scope platform --reason "…"``: stop trading, let it go on, or look at it."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from foundation.audit import Actor
from foundation.commands import InconsistentOptionsError, PlatformCommand
from trading.models import RestrictionState
from trading.selectors import restrictions as selectors
from trading.services import restrictions, targets

#: Whoever has a shell on the machine; as one of two operators it counts once.
_BY_SHELL = Actor.system("command-line")


class NoReasonError(InconsistentOptionsError):
    """Stopping and going on both need a word about why."""

    code = "reason_required"

    def __init__(self) -> None:
        super().__init__("Say why with --reason, in 1 to 300 characters.")


class Command(PlatformCommand):
    """Set or end a trading state; needs PostgreSQL only.

    Exit statuses: 0 done, 1 refused, 2 no sensible arguments, 3 no database.
    """

    help = (
        "Stop trading (on), let it go on (off), or show what is stopped (status). Cancellations "
        "always go out; REDUCING lets exits pass as well."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("wish", choices=["on", "off", "status"])
        parser.add_argument("--scope", default="platform", help=" | ".join(targets.FORMS))
        parser.add_argument("--state", choices=RestrictionState.values, default="HALTED")
        parser.add_argument("--reason", default="", help="why; the people concerned read it")

    def handle(self, *, wish: str, scope: str, state: str, reason: str, **_: Any) -> None:
        """Do it and say what is in force."""
        now = timezone.now()
        if wish == "on":
            why = _checked(reason)
            restrictions.set_by_hand(
                target=targets.named(scope),
                state=state,
                reason=why,
                by=_BY_SHELL,
                is_operator=True,
                now=now,
            )
        elif wish == "off":
            why = _checked(reason)
            left = restrictions.release_all(
                target=targets.named(scope), note=why, by=_BY_SHELL, now=now
            )
            if left:
                self.stdout.write("Agreed. Another operator has to agree as well.")
        self._show()

    def _show(self) -> None:
        rows = selectors.all_in_force(now=timezone.now())
        by_file = selectors.is_halted_by_file()
        if by_file:
            self.stdout.write("HALTED    platform (by the file on this machine)")
        for row in rows:
            self.stdout.write(
                f"{row.state:<9} {row.target_key} ({row.target_name}) since "
                f"{row.since_at:%Y-%m-%d %H:%M:%S} {row.cause}: {row.reason}"
            )
            if row.approved_by:
                self.stdout.write("          one of two operators agrees to its end")
        if not rows and not by_file:
            self.stdout.write("ACTIVE    everything")


def _checked(reason: str) -> str:
    try:
        return restrictions.checked_reason(reason)
    except restrictions.ReasonRequiredError:
        raise NoReasonError from None
