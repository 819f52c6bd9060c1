"""The import command as a process that a person stops, or whose reader goes away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from exchanges.models import CandleChunk, CandleImport
from tests.factories.exchanges import make_candles, make_venue
from tests.template import address_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]

CHECKOUT = Path(__file__).resolve().parents[2]
FILES = 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with many small files, so that there is time to stop."""
    make_venue()
    candles = make_candles([100.0 + n for n in range(1_000)])
    text = "timestamp,open,high,low,close,volume\n" + "".join(
        ",".join(map(repr, row)) + "\n" for row in candles.rows()
    )
    for number in range(FILES):
        path = tmp_path / f"C{number:03}-USDT" / "1h.csv"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    return tmp_path


def start(folder: Path) -> "subprocess.Popen[str]":
    url = address_of(connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "manage.py", "import_candles", str(folder), "--venue", "binance"],
        cwd=CHECKOUT,
        env=os.environ | {"DATABASE_URL": url, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_whole_files_only() -> None:
    imported = CandleImport.objects.count()
    assert 0 < imported < FILES
    assert CandleChunk.objects.count() == imported


def test_ctrl_c_keeps_whole_files_and_says_so(folder):
    process = start(folder)
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "nothing of the file under way was stored" in out
    assert "Traceback" not in err
    assert_whole_files_only()


def test_sigkill_leaves_whole_files(folder):
    process = start(folder)
    assert process.stdout is not None
    process.stdout.readline()

    process.kill()
    process.communicate(timeout=30)

    assert_whole_files_only()


def test_a_reader_that_goes_away_ends_it_quietly(folder):
    process = start(folder)
    assert process.stdout is not None
    process.stdout.readline()

    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)

    assert process.returncode == 0
    assert err == ""
    assert_whole_files_only()
