"""``manage.py verify_ledger``: proves that the books balance and agree with the payments."""

import sys

from django.utils import timezone

from billing.services import ledger_checks
from foundation.commands import REFUSED, PlatformCommand


class Command(PlatformCommand):
    """Compare the books, print every violation, and end with exit status 1 if there is one."""

    help = "Check that the books balance per currency and agree with the payments."

    def handle(self, *args: object, **options: object) -> None:
        """Run the comparison."""
        violations = ledger_checks.verify(now=timezone.now())
        for violation in violations:
            self.stderr.write(f"error: ledger_violation: {violation}")
        if violations:
            sys.exit(REFUSED)
        self.stdout.write("The books balance.")
