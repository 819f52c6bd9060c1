"""Several machines may start at once: each migrates, and the database is migrated once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.stack import fresh_database

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(240)
def test_two_migrations_at_once_both_succeed():
    with fresh_database() as address:
        environment = {**os.environ, "DATABASE_URL": address}
        processes = [
            subprocess.Popen(
                [sys.executable, "manage.py", "migrate", "--no-input"],
                env=environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(2)
        ]
        outputs = [process.communicate()[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    applied = [output.count("... OK") + output.count(" OK\n") for output in outputs]
    assert min(applied) == 0 < max(applied), outputs
