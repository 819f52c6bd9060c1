"""Lists and reports read the copy where there is one."""

import os
import subprocess
import sys
from pathlib import Path

from foundation import replica

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_copy_everything_reads_the_primary():
    assert replica.using() == "default"


def test_with_a_copy_lists_read_that_and_cannot_write():
    code = (
        "from django.conf import settings; from foundation import replica;"
        "copy = settings.DATABASES[replica.using()];"
        "print(replica.using(), copy['HOST'], copy['TEST'], copy['OPTIONS']['options'])"
    )

    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DATABASE_REPLICA_URL": "postgres://reader@copy.example.org/name"},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )

    # The test database has no copy of its own: the alias leads to the same one.
    assert "replica copy.example.org {'MIRROR': 'default'}" in result.stdout
    assert "default_transaction_read_only=on" in result.stdout
