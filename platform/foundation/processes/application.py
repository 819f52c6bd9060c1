"""The processes of the platform itself, and what each may know."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.processes.local_secrets import PRIVATE_KEY
from foundation.processes.ports import LOOPBACK
from foundation.processes.spawning import ProcessSpec, StopStage

#: Each queue: what its worker does, and whether it opens credentials of exchange accounts.
_WORKERS: Final = (
    ("control", "stop, flatten, cancel, halt and key tests, at once", True),
    ("orders", "sends orders and reconciles them with the venues", True),
    ("ingest", "fetches closed candles", True),
    ("evaluate", "computes strategies at each closed bar", False),
    ("compute", "runs backtests", False),
    ("default", "events, mail and housekeeping", False),
)

#: Names that only some processes receive, whoever has set them.
_RESTRICTED: Final = frozenset({PRIVATE_KEY, f"{PRIVATE_KEY}_FILE", "DEMO_PASSWORD"})

DEMO_EMAIL: Final = "demo@example.com"


@dataclass(frozen=True, slots=True)
class Application:
    """How to run the platform's own processes from *checkout*.

    ``environment`` holds everything, secrets included; each process is handed its part of it.
    """

    checkout: Path
    state: Path
    environment: Mapping[str, str]

    def web(self, port: int) -> ProcessSpec:
        """Return the web server on the loopback interface."""
        return ProcessSpec(
            name="web",
            command=self._python(
                *("-m", "gunicorn", "config.wsgi:application", "--config", "gunicorn.conf.py"),
                *("--bind", f"{LOOPBACK}:{port}"),
            ),
            purpose="pages and API (gunicorn)",
            environment=self._shared() | {"DATABASE_POOL": "true"},
            folder=self.checkout,
        )

    def workers(self) -> tuple[ProcessSpec, ...]:
        """Return one worker per queue."""
        return tuple(
            ProcessSpec(
                name=f"worker-{queue}",
                # One process each: a child is forked after the imports, so it costs little,
                # and only processes keep the time limits and may use the exchange library.
                command=self._python(
                    *(
                        "-m",
                        "celery",
                        "--quiet",
                        "-A",
                        "config",
                        "worker",
                        "-Q",
                        queue,
                        "-n",
                        f"{queue}@%h",
                    ),
                    *("--pool", "prefork", "--concurrency", "1", "--loglevel", "INFO"),
                    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                ),
                purpose=purpose,
                environment=self._shared() | (self._only(PRIVATE_KEY) if opens_credentials else {}),
                folder=self.checkout,
            )
            for queue, purpose, opens_credentials in _WORKERS
        )

    def beat(self) -> ProcessSpec:
        """Return the clock that sends what is due."""
        return ProcessSpec(
            name="beat",
            command=self._python(
                *(
                    "-m",
                    "celery",
                    "--quiet",
                    "-A",
                    "config",
                    "beat",
                    "--pidfile",
                    "",
                    "--loglevel",
                    "INFO",
                ),
            ),
            purpose="sends what is due",
            environment=self._shared(),
            folder=self.checkout,
        )

    def simulator(self, port: int) -> ProcessSpec:
        """Return the mock exchange; it needs neither the database nor our secrets."""
        return ProcessSpec(
            name="simulator",
            command=self._python(
                *("-m", "exchanges.simulator", "--port", str(port)),
                *("--state", str(self.state / "simulator.json")),
            ),
            purpose="a mock exchange that replays recorded candles",
            environment=_surroundings() | self._paths() | self._only("SIMULATOR_ADMIN_TOKEN"),
            folder=self.checkout,
            stage=StopStage.SIMULATOR,
        )

    def command(self, *arguments: str, needs: tuple[str, ...] = ()) -> ProcessSpec:
        """Return ``manage.py`` with *arguments*; *needs* names restricted variables."""
        return ProcessSpec(
            name=arguments[0],
            command=self._python("manage.py", *arguments),
            purpose="",
            environment=self._shared() | self._only(*needs),
            folder=self.checkout,
        )

    def shared_variables(self) -> dict[str, str]:
        """Return what other ``manage.py`` commands need to work beside the running platform."""
        return {name: value for name, value in self.environment.items() if name not in _RESTRICTED}

    def _shared(self) -> dict[str, str]:
        return _surroundings() | self._paths() | self.shared_variables()

    def _only(self, *names: str) -> dict[str, str]:
        known = {**os.environ, **self.environment}
        return {
            variable: known[variable]
            for name in names
            for variable in (name, f"{name}_FILE")
            if variable in known
        }

    def _paths(self) -> dict[str, str]:
        return {
            "PYTHONPATH": os.pathsep.join((str(self.checkout), str(self.checkout / "platform"))),
            "PYTHONUNBUFFERED": "1",
            # Said once by us instead of eight lines by each worker.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        }

    def _python(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, *arguments)


def _surroundings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _RESTRICTED}
