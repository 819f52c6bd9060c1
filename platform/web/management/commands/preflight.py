"""``manage.py preflight``: whether a process with this environment could work here."""

import os
import sys
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils import timezone

from web import preflight
from web.preflight import Level

#: As the environment's own refusal (EX_CONFIG), and "try again later" (EX_TEMPFAIL).
_STATUS: Final = {Level.ERROR: 78, Level.UNREACHABLE: 75}


class Command(BaseCommand):
    """Ends with 0, with 78 if something is wrong, or with 75 if a server does not answer."""

    help = "Examine database, broker, keys and files before a process starts."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        """Print every finding, the worst first."""
        found = preflight.examine(environment=os.environ, now=timezone.now())
        for finding in found:
            self.stderr.write(f"{finding.level}: {finding.code}: {finding.message}")
        levels = {finding.level for finding in found}
        for level, status in _STATUS.items():
            if level in levels:
                sys.exit(status)
        self.stdout.write("ok")
