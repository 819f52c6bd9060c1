"""Packages of strangers: written to a folder and installed there as a package manager would, without a network."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from django.db import connection

from tests.template import address_of

#: A busy machine may take minutes to start a process and load its kernels.
_TIMEOUT_S = 600
ROOT = Path(__file__).resolve().parents[2]


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write *files*, text by path, below *folder*."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def install(project: Path) -> None:
    """Put beside the packages of *project* what an installer records of its ``pyproject.toml``."""
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = declared["name"], declared["version"]
    groups = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in declared["entry-points"].items()
    ]
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    record = {"METADATA": metadata, "entry_points.txt": "\n".join(groups)}
    write_files(project / f"{name.replace('-', '_')}-{version}.dist-info", record)


def run(*arguments: str, projects: tuple[Path, ...]) -> subprocess.CompletedProcess[str]:
    """Run Python with *projects* on its path, in the checkout and on the database of the test."""
    paths = [*map(str, projects), str(ROOT), str(ROOT / "platform")]
    address = address_of(connection.settings_dict["NAME"])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "DATABASE_URL": address}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
