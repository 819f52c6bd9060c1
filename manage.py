#!/usr/bin/env python
"""Puts the repository root and ``platform/`` first on the path, and runs a management command."""

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent


def main() -> None:
    """Run the command that the arguments name."""
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "platform")]

    if sys.argv[1:2] == ["up"]:
        # It runs before there is a database or a secret, so it has neither settings nor apps.
        from django.conf import settings

        from web.management.commands.up import Command

        settings.configure()
        Command().run_from_argv(sys.argv)
        return

    from django.core.management import execute_from_command_line

    from foundation.processes.local_platform import running_environment

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    if not {"DATABASE_URL", "DATABASE_URL_FILE"} & os.environ.keys():
        # Beside a running `manage.py up`, a command works on what that one has started.
        os.environ.update(running_environment(CHECKOUT))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
