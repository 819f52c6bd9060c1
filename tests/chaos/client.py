"""Somebody who looks at their pages all the time, and what they get to see."""

import time
from collections import Counter
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final

import requests

from tests.flows.stack import Visitor

_PAUSE_S: Final = 0.2
_TIMEOUT_S: Final = 10.0
_PATHS: Final = ("/dashboard/", "/deployments/", "/api/v1/deployments")


@dataclass(slots=True)
class Client:
    """Asks for one page after the other; counts the answers, and how long none was good."""

    visitor: Visitor
    answers: Counter[str] = field(default_factory=Counter)
    longest_outage_s: float = 0.0
    _over: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        good_s, number = time.monotonic(), 0
        while not self._over.wait(_PAUSE_S):
            number += 1
            answer = self._ask(_PATHS[number % len(_PATHS)])
            self.answers[answer] += 1
            if answer == "200":
                good_s = time.monotonic()
            self.longest_outage_s = max(self.longest_outage_s, time.monotonic() - good_s)

    def _ask(self, path: str) -> str:
        try:
            response = self.visitor.session.get(
                self.visitor.url + path, timeout=_TIMEOUT_S, allow_redirects=False
            )
        except requests.Timeout:
            return "no answer in time"
        except requests.RequestException:
            return "no connection"
        return str(response.status_code)
