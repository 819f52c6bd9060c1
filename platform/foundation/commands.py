"""Commands whose expected failures are one line for a person and an exit status for a script."""

import sys
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.db import OperationalError

from market.errors import InvalidInputError, PlatformError

#: What was asked is refused; 2 is a usage error (argparse), 3 says that a server is away.
REFUSED: Final = 1
USAGE: Final = 2
DEPENDENCY_DOWN: Final = 3


class InconsistentOptionsError(InvalidInputError):
    """Options that are fine one by one and cannot be meant together; the exit status is that of a usage error."""

    code = "inconsistent"


class PlatformCommand(BaseCommand):
    """Prints ``error: <code>: <message>`` for an expected failure, one line for each problem."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; an expected failure ends the process with its exit status."""
        try:
            return super().execute(*args, **options)
        except PlatformError as error:
            for code, message in _lines(error):
                self.stderr.write(f"error: {code}: {message}")
            sys.exit(USAGE if isinstance(error, InconsistentOptionsError) else REFUSED)
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            self.stderr.write(f"error: database_unavailable: {reason}")
            sys.exit(DEPENDENCY_DOWN)


def _lines(error: PlatformError) -> list[tuple[str, str]]:
    if not error.problems:
        return [(error.code, error.message)]
    return [(problem.code, problem.message) for problem in error.problems]
