"""When each component answers, asked again and again from outside."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Any, Final

import psycopg
import requests
from redis import Redis

from tests.chaos.strikes import Blow, How

_PAUSE_S: Final = 0.1
_TIMEOUT_S: Final = 1.0
#: How long workers have to answer a call to all of them.
_ROLL_CALL_S: Final = 0.5


class Probes:
    """Asks every component in threads of its own; remembers when it was asked and did answer."""

    def __init__(self, *, url: str, database_url: str, redis_url: str) -> None:
        self._url, self._database_url, self._redis_url = url, database_url, redis_url
        self._beat_at: object = None
        self._answers: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._over = Event()
        self._threads = [
            Thread(target=self._ask_again_and_again, args=(ask,), daemon=True)
            for ask in (self._ask_web, self._ask_postgres, self._ask_valkey, self._call_roll)
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def answered_since(self, name: str, asked_s: float) -> float | None:
        """Return when *name* first answered a question that was asked after *asked_s*, None if never."""
        return next((at for asked, at in self._answers[name] if asked > asked_s), None)

    def recoveries(self, blows: Sequence[Blow]) -> dict[tuple[str, How], list[float | None]]:
        """Return how long each victim took to answer again, by victim and what befell it."""
        found: dict[tuple[str, How], list[float | None]] = defaultdict(list)
        for blow in blows:
            answered_s = self.answered_since(blow.strike.victim, blow.over_s)
            took_s = None if answered_s is None else answered_s - blow.over_s
            found[(blow.strike.victim, blow.strike.how)].append(took_s)
        return found

    def _ask_again_and_again(self, ask: Callable[[], Sequence[str]]) -> None:
        while not self._over.wait(_PAUSE_S):
            asked_s = time.monotonic()
            # Whatever it raises, it is no answer.
            with suppress(Exception):
                for name in ask():
                    self._answers[name].append((asked_s, time.monotonic()))

    def _ask_web(self) -> Sequence[str]:
        answer = requests.get(f"{self._url}/healthz", timeout=_TIMEOUT_S)
        return ["web"] if answer.ok else []

    def _ask_postgres(self) -> Sequence[str]:
        with psycopg.connect(self._database_url, connect_timeout=2) as connection:
            # The clock has the time written down every ten seconds, by way of queue and worker.
            row = connection.execute(
                "SELECT beat_at FROM foundation_heartbeat WHERE process = 'beat'"
            ).fetchone()
        if row is None or row[0] == self._beat_at:
            return ["postgres"]
        self._beat_at = row[0]
        return ["postgres", "beat"]

    def _ask_valkey(self) -> Sequence[str]:
        with Redis.from_url(
            self._redis_url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        ) as client:
            client.ping()
        return ["valkey"]

    def _call_roll(self) -> Sequence[str]:
        from config.celery import app  # noqa: PLC0415  its settings need the servers' addresses

        try:
            answers: list[dict[str, Any]] = app.control.ping(timeout=_ROLL_CALL_S) or []
        except Exception:
            # A connection to a broker that has died is of no further use.
            app.close()
            raise
        return [f"worker-{node.partition('@')[0]}" for each in answers for node in each]
