"""A package that is really installed, beside others that are broken: in processes of their own."""

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from market.candles import Candles
from market.timeframes import Timeframe
from tests.factories import exchanges as exchange_factory
from tests.strategies import third_party
from tests.strategies.third_party import ROOT

# Each starts several processes, which a busy machine takes its time for.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

GUIDE = ROOT / "docs" / "howto" / "add-a-strategy.md"
_FILE = re.compile(r"^`(my-strategies/[^`]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAMPLE = ROOT / "exchanges" / "sample_data" / "binance" / "BTC-USDT" / "4h.csv"


def make_sample_market() -> None:
    """Store the 4h candles of BTC/USDT that ship."""
    with _SAMPLE.open(encoding="utf-8") as lines:
        table = list(csv.DictReader(lines))
    names = ("open", "high", "low", "close", "volume")
    times = np.array([int(row["timestamp"]) for row in table], dtype=np.int64)
    columns = (np.array([float(row[name]) for row in table]) for name in names)
    instrument = exchange_factory.make_instrument()
    exchange_factory.store_candles(instrument, Timeframe.H4, Candles(times, *columns))


def files_of_the_guide() -> dict[str, str]:
    return dict(_FILE.findall(GUIDE.read_text(encoding="utf-8")))


def commands_of_the_guide() -> list[list[str]]:
    blocks = _CONSOLE.findall(GUIDE.read_text(encoding="utf-8"))
    return [shlex.split(line.removeprefix("$ ")) for block in blocks for line in block.splitlines()]


def test_the_guide_leads_from_an_empty_file_to_a_backtest(tmp_path):
    make_sample_market()
    project = tmp_path / "my-strategies"
    third_party.write_files(tmp_path, files_of_the_guide())

    said = []
    for command in commands_of_the_guide():
        if command[:4] == ["python", "-m", "pip", "install"]:
            third_party.install(project)
            continue
        if command[0] == "python":
            # Its tests lie below the folder in which the reader works.
            command = [each.replace("my-strategies/", f"{project}/") for each in command[1:]]
            command += ["-p", "no:cacheprovider", "--rootdir", str(project)]
        done = third_party.run(*command, projects=(project,))
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        said.append(done.stdout)

    generated, stored, released, backtest, tests = said
    assert "ok       PREFIX" in generated
    assert "FAILED" not in generated + stored
    assert "released  channel-breakout version 1" in released
    assert re.search(r"^Trades +[1-9]", backtest, re.MULTILINE)
    assert "1 passed" in tests


BROKEN = {
    "no-import": "import no_such_library\n",
    "exits": "raise SystemExit(1)\n",
    "bad-slug": "from acme.good import *\nSLUG = 'Not A Slug'\n",
    "taken-slug": "from acme.good import *\nSLUG = 'ema-crossover'\n",
}
#: These are found and offered; what is wrong with them shows when they run.
RAISES = {
    "raises": "def signals(view, params):\n    raise RuntimeError('no')\n",
    "short": "def signals(view, params):\n    return good.signals(view, params).of_symbol(slice(1))\n",
    "nan": (
        "def signals(view, params):\n"
        "    told = good.signals(view, params)\n"
        "    return replace(told, enter_long=np.full(len(told), np.nan))\n"
    ),
}


def write_acme(folder: Path) -> Path:
    """Return a project with a good strategy and many broken ones."""
    project = folder / "acme"
    good = files_of_the_guide()["my-strategies/my_strategies/channel_breakout.py"]
    modules = {"good": good.replace('SLUG = "channel-breakout"', 'SLUG = "acme-good"')}
    modules |= {name.replace("-", "_"): text for name, text in BROKEN.items()}
    for name, text in RAISES.items():
        head = "from dataclasses import replace\nimport numpy as np\nfrom acme import good\n"
        modules[name] = f"{head}from acme.good import *\nSLUG = 'acme-{name}'\n{text}"
    entries = "".join(f'{name} = "acme.{name}"\n' for name in modules)
    third_party.write_files(
        project,
        {
            "pyproject.toml": '[project]\nname = "acme"\nversion = "2.0"\n'
            f'[project.entry-points."trading_platform.strategies"]\n{entries}',
            "acme/__init__.py": "",
            **{f"acme/{name}.py": text for name, text in modules.items()},
        },
    )
    third_party.install(project)
    return project


def test_broken_packages_are_reported_and_take_nothing_down(tmp_path):
    make_sample_market()
    project = write_acme(tmp_path)

    released = third_party.run("manage.py", "sync_catalogue", projects=(project,))

    assert released.returncode == 0, released.stderr
    offered = re.findall(r"^released  (\S+)", released.stdout, re.MULTILINE)
    assert {"acme-good", "acme-raises", "acme-short", "acme-nan", "ema-crossover"} <= set(offered)
    broken = re.findall(r"^broken    (\S+) \(acme 2\.0\): (.+)$", released.stderr, re.MULTILINE)
    assert dict(broken).keys() == {name.replace("-", "_") for name in BROKEN}
    assert "no_such_library" in dict(broken)["no_import"]

    window = (
        *("--market", "binance:BTC/USDT", "--timeframe", "4h"),
        *("--from", "2024-01-10", "--to", "2024-03-22"),
    )
    for name, code in (
        ("acme-good", ""),
        ("acme-raises", "strategy_failed"),
        ("acme-short", "invalid_signals"),
        ("acme-nan", "invalid_signals"),
    ):
        done = third_party.run("manage.py", "backtest", name, *window, projects=(project,))
        assert (done.returncode == 0) == (not code), done.stderr
        assert f"error: {code}" in done.stderr or not code
