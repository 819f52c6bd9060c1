"""The deployment files as the tests read them."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILES = ("compose.yaml", "compose.production.yaml")

#: Names that our containers are given for other programs than the platform.
FOREIGN_NAMES = {
    "DJANGO_SETTINGS_MODULE",
    "GUNICORN_CMD_ARGS",
    "FLOWER_BASIC_AUTH",
}


def load(name: str) -> dict[str, Any]:
    """Return a YAML file, merge keys resolved."""
    return dict(YAML(typ="safe").load((ROOT / name).read_text(encoding="utf-8")))


def services(name: str) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file."""
    return dict(load(name)["services"])


def our_services(name: str) -> dict[str, dict[str, Any]]:
    """Return the services that run our image."""
    return {
        service: definition
        for service, definition in services(name).items()
        if "trading-platform" in definition["image"]
    }


def variables(service: dict[str, Any]) -> set[str]:
    """Return the names that a service is given, ``NAME_FILE`` as ``NAME``."""
    return {name.removesuffix("_FILE") for name in service.get("environment", {})}


def example_names() -> list[str]:
    """Return the names in ``.env.example``, commented ones included, in order."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, flags=re.MULTILINE)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program from the checkout, with the programs of this Python first on the path."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
