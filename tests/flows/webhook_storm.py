"""A thousand notices, repeated, shuffled and forged, while the worker that deals with them is killed.

Real web server, real worker, real beat; the bank is the one for development. Nothing here looks at how it
is done: only at what a thousand buyers have afterwards, and at the books.
"""

import json
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Final
from uuid import uuid4

import psycopg
import requests

from billing.providers import signatures
from tests.flows.stack import Stack, eventually

#: How many notices of each payment are sent: the true one, repeats of it, and older ones out of order.
_SENT_PER_PAYMENT: Final = 5
#: One of so many deliveries is forged.
_FORGED_OF: Final = 10
_SENDERS: Final = 4
#: A worker that has dealt with something dies at most so much later.
_LONGEST_LIFE_S: Final = 1.5
_DELIVERIES_PER_KILL: Final = 100
_DEALT_WITH: Final = "SELECT count(*) FROM billing_providerevent WHERE processed_at IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to the address of the notices, and what it has to be answered."""

    body: bytes
    header: str
    status: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the storm has left behind."""

    deliveries: int
    forged: int
    kills: int
    seconds: float
    facts: dict[str, Any]


def storm(stack: Stack, *, deliveries: int, seed: int = 7) -> Outcome:
    """Prepare payments that are paid at the bank, send the storm, wait until all is dealt with."""
    number = deliveries * (_FORGED_OF - 1) // _FORGED_OF // _SENT_PER_PAYMENT
    tag = f"storm-{secrets.token_hex(3)}"
    prepared = json.loads(_inside(stack, "prepare", tag, str(number)))
    chance = random.Random(seed)
    planned = list(_plan(prepared, deliveries=deliveries, chance=chance))
    chance.shuffle(planned)
    started = time.monotonic()
    over = Event()
    killed: list[int] = []
    reaper = Thread(
        target=_kill_again_and_again,
        args=(stack, over, killed),
        kwargs={"most": max(2, deliveries // _DELIVERIES_PER_KILL), "chance": chance},
    )
    reaper.start()
    try:
        with ThreadPoolExecutor(_SENDERS) as senders:
            answers = list(senders.map(lambda each: _send(stack, each), planned))
        wrong = [
            (each, got) for each, got in zip(planned, answers, strict=True) if each.status != got
        ]
        assert not wrong, wrong[:3]
        eventually(
            lambda: json.loads(_inside(stack, "waiting", tag))["waiting"] == 0,
            what="all notices are dealt with",
            within_s=600,
        )
    finally:
        over.set()
        reaper.join()
        # What a thread has started dies with it; whoever uses the platform next finds a worker.
        stack.kill("worker-default")
        stack.restart("worker-default")
    return Outcome(
        deliveries=len(planned),
        forged=sum(each.status != 200 for each in planned),
        kills=len(killed),
        seconds=time.monotonic() - started,
        facts=json.loads(_inside(stack, "look", tag)),
    )


def _plan(
    prepared: dict[str, Any], *, deliveries: int, chance: random.Random
) -> Iterator[Delivery]:
    """Yield the deliveries: for each payment its notices with repeats, and the forged ones."""
    secret, references = prepared["secret"], prepared["references"]
    true_ones = []
    for reference in references:
        notices = [_notice(reference, kind) for kind in ("charge.delayed", "charge.paid")]
        chosen = [*notices, *chance.choices(notices, k=_SENT_PER_PAYMENT - len(notices))]
        true_ones += chosen
        for body in chosen:
            yield Delivery(body, _sign(body, secret), 200)
    for index in range(deliveries - len(true_ones)):
        forge = FORGERIES[index % len(FORGERIES)]
        yield forge(chance.choice(true_ones), secret)


def _notice(reference: str, kind: str) -> bytes:
    # The paid one happened later, whichever of the two arrives first.
    second = 10 if kind == "charge.delayed" else 20
    body = {
        "id": str(uuid4()),
        "type": kind,
        "created": f"2026-01-01T00:00:{second}+00:00",
        "livemode": False,
        "reference": reference,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _sign(body: bytes, secret: str, *, age_s: int = 0) -> str:
    return signatures.sign(body, secret=secret, at=int(time.time()) - age_s)


def _with_new_id(body: bytes) -> bytes:
    return json.dumps(json.loads(body) | {"id": str(uuid4())}).encode()


#: Each returns a delivery that proves nothing, made from a true body.
FORGERIES: Final[Sequence[Callable[[bytes, str], Delivery]]] = (
    lambda body, secret: Delivery(body, _sign(body, "wrong" * 10), 400),
    lambda body, secret: Delivery(body, _sign(body, secret, age_s=301), 400),
    lambda body, secret: Delivery(body, _sign(body, secret, age_s=-400), 400),
    lambda body, secret: Delivery(body, "", 400),
    lambda body, secret: Delivery(json.dumps(json.loads(body)).encode(), _sign(body, secret), 400),
    lambda body, secret: Delivery(_with_new_id(body), _sign(body, secret), 400),
    lambda body, secret: Delivery(body[:-1], _sign(body, secret), 400),
    lambda body, secret: Delivery(body + b" ", _sign(body, secret), 400),
    lambda body, secret: Delivery(body, _sign(body, secret).upper(), 400),
    lambda body, secret: Delivery(body, _sign(body, secret).replace("v1=", "v1=0"), 400),
    lambda body, secret: Delivery(body, _sign(body, "")[:40], 400),
    lambda body, secret: Delivery(b"x" * 300_000, _sign(b"x" * 300_000, secret), 413),
)


def _send(stack: Stack, delivery: Delivery) -> int:
    """Deliver as a provider does: again, until there is an answer."""
    headers = {"Content-Type": "application/json"}
    if delivery.header:
        headers["Development-Signature"] = delivery.header
    while True:
        try:
            answer = requests.post(
                f"{stack.url}/webhooks/development/",
                data=delivery.body,
                headers=headers,
                timeout=20,
            )
        except requests.RequestException:
            time.sleep(0.2)
            continue
        if answer.status_code != 503:
            return answer.status_code
        time.sleep(0.2)


def _kill_again_and_again(
    stack: Stack, over: Event, killed: list[int], *, most: int, chance: random.Random
) -> None:
    """Kill the worker in the middle of its work, with all that it started, and start it again.

    It may deal with something between two deaths: one that dies while it starts would only prove patience.
    After *most* deaths it is left alive.
    """
    database_url = stack.application.environment["DATABASE_URL"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        dealt_with = 0
        while len(killed) < most and not over.wait(0.1):
            row = connection.execute(_DEALT_WITH).fetchone()
            if row is None or row[0] <= dealt_with:
                continue
            dealt_with = row[0]
            if over.wait(chance.uniform(0, _LONGEST_LIFE_S)):
                return
            stack.kill("worker-default")
            killed.append(signal.SIGKILL)
            stack.restart("worker-default")
    # A process lives no longer than the thread that started it.
    over.wait()


def _inside(stack: Stack, what: str, *arguments: str) -> str:
    """Run a part of this story beside the platform, on its database; return the last line that it prints."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.flows.webhook_storm_inside", what, *arguments],
        env=stack.application.command("check").environment,
        cwd=stack.application.checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip().splitlines()[-1]
