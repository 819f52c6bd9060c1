"""The HTTP side of the stand-in: routes, keys, idempotency, expansion, and programmable trouble."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from tests.billing.stripe_fake.bank import FakeStripe, RefusedError, Row, shown

API_KEY: Final = "sk_" + "test_" + "a" * 24
_API_VERSION: Final = "2026-10-28.endive"


@dataclass
class Trouble:
    """What goes wrong with the next calls that change something."""

    #: Calls that are carried out and whose answer is lost: the connection breaks.
    lost_answers: int = 0
    #: Calls that are carried out and answered only after so long.
    slow_s: float = 0.0
    #: Answers that are given instead of doing anything: a status and a body.
    answers: list[tuple[int, Any]] = field(default_factory=list)


@dataclass
class StripeServer:
    """The stand-in as it is served; ``bank`` is what it knows."""

    base: str
    bank: FakeStripe
    trouble: Trouble = field(default_factory=Trouble)
    #: What was asked: method, path, idempotency key, parameters.
    calls: list[tuple[str, str, str, Row]] = field(default_factory=list)
    #: By idempotency key: what was asked, and what was answered to it.
    answered: dict[str, tuple[Any, int, Row]] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget everything, as if the account were new."""
        self.bank = FakeStripe()
        self.trouble = Trouble()
        self.calls.clear()
        self.answered.clear()

    def forget_keys(self) -> None:
        """Forget the idempotency keys, as Stripe does after a day."""
        self.answered.clear()

    def calls_of(self, method: str, path: str) -> list[Row]:
        """Return the parameters of all calls of one kind."""
        return [params for verb, where, _, params in self.calls if (verb, where) == (method, path)]

    def post(self, path: str, params: Row, *, key: str) -> tuple[int, Row]:
        """Carry out a change, once for an idempotency key.

        Errors are remembered like answers, but for parameters that were refused before anything began.
        """
        with self.bank.lock:
            if key and key in self.answered:
                asked, status, body = self.answered[key]
                if asked == (path, params):
                    return status, body
                return 400, RefusedError(
                    400,
                    "Keys for idempotent requests can only be used with the same parameters.",
                    kind="idempotency_error",
                ).body
            try:
                status, body = 200, self._change(path, params)
            except RefusedError as error:
                status, body = error.status, error.body
            began = not body.get("error", {}).get("code", "").startswith("parameter_")
            if key and began:
                self.answered[key] = ((path, params), status, body)
            return status, body

    def get(self, path: str, params: Row) -> tuple[int, Row]:
        """Answer a question."""
        with self.bank.lock:
            try:
                return 200, self._look(path, params)
            except RefusedError as error:
                return error.status, error.body

    def _change(self, path: str, params: Row) -> Row:
        match path.removeprefix("/v1/").split("/"):
            case ["checkout", "sessions"]:
                return shown(self.bank.create_session(params, address=self.base))
            case ["checkout", "sessions", session_id, "expire"]:
                self.bank.expire(_found(self.bank.sessions, session_id)["id"])
                return shown(self.bank.sessions[session_id])
            case ["refunds"]:
                units = params.get("amount")
                return shown(
                    self.bank.give_back(
                        params.get("payment_intent", ""),
                        None if units is None else int(units),
                        params.get("metadata"),
                    )
                )
        raise RefusedError(404, f"Unrecognized request URL (POST: {path}).")

    def _look(self, path: str, params: Row) -> Row:
        bank = self.bank
        rows: Mapping[str, Row]
        match path.removeprefix("/v1/").split("/"):
            case ["checkout", "sessions"]:
                return _page(list(bank.sessions.values()), params, "payment_intent")
            case ["refunds"]:
                return _page(list(bank.refunds.values()), params, "payment_intent")
            case ["disputes"]:
                return _page(list(bank.disputes.values()), params, "payment_intent")
            case ["events"]:
                return _page(bank.events, params, "type")
            case ["checkout", "sessions", object_id]:
                rows = bank.sessions
            case ["payment_intents", object_id]:
                rows = bank.intents
            case ["charges", object_id]:
                rows = bank.charges
            case ["refunds", object_id]:
                rows = bank.refunds
            case _:
                raise RefusedError(404, f"Unrecognized request URL (GET: {path}).")
        row = shown(_found(rows, object_id))
        for wish in (params.get("expand") or {}).values():
            self._expand(row, wish.split("."))
        return row

    def _expand(self, row: Row, names: list[str]) -> None:
        tables = {
            "payment_intent": self.bank.intents,
            "latest_charge": self.bank.charges,
            "balance_transaction": self.bank.transactions,
        }
        for name in names:
            if row[name] is None:
                return
            if isinstance(row[name], str):
                row[name] = shown(tables[name][row[name]])
            row = row[name]


@contextmanager
def serve() -> Iterator[StripeServer]:
    """Serve a new stand-in on a free port of this machine."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    served = StripeServer(f"http://127.0.0.1:{http.server_address[1]}", FakeStripe())
    http.stripe = served  # type: ignore[attr-defined]  # how a handler finds its server's state
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        http.shutdown()
        http.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a question."""
        parts = urlsplit(self.path)
        params = _nested(parse_qsl(parts.query))
        self._serve(parts.path, params, lambda: self._stripe().get(parts.path, params))

    def do_POST(self) -> None:
        """Carry out a change, unless trouble was asked for."""
        length = int(self.headers.get("Content-Length") or 0)
        params = _nested(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        key = self.headers.get("Idempotency-Key", "")
        self._serve(
            self.path, params, lambda: self._in_trouble(self._stripe(), self.path, params, key)
        )

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  named by its base
        """Stay silent."""

    def _stripe(self) -> StripeServer:
        served: StripeServer = self.server.stripe  # type: ignore[attr-defined]  # set by serve()
        return served

    def _serve(self, path: str, params: Row, answer: Callable[[], tuple[int, Any] | None]) -> None:
        stripe = self._stripe()
        key = self.headers.get("Idempotency-Key", "")
        stripe.calls.append((self.command, path, key, params))
        if self.headers.get("Authorization") != f"Bearer {API_KEY}":
            error = RefusedError(401, "Invalid API Key provided.")
            self._send(error.status, error.body)
            return
        if self.headers.get("Stripe-Version") != _API_VERSION:
            self._send(400, RefusedError(400, "This stand-in knows one version only.").body)
            return
        answered = answer()
        if answered is None:
            self.close_connection = True
        else:
            self._send(*answered)

    def _in_trouble(
        self, stripe: StripeServer, path: str, params: Row, key: str
    ) -> tuple[int, Any] | None:
        trouble = stripe.trouble
        if trouble.answers:
            status, body = trouble.answers.pop(0)
            if key and status == HTTPStatus.INTERNAL_SERVER_ERROR:
                stripe.answered[key] = ((path, params), status, body)
            return status, body
        answered = stripe.post(path, params, key=key)
        if trouble.slow_s:
            slow_s, trouble.slow_s = trouble.slow_s, 0.0
            time.sleep(slow_s)
        if trouble.lost_answers:
            trouble.lost_answers -= 1
            return None
        return answered

    def _send(self, status: int, body: Any) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Request-Id", "req_1")
        self.end_headers()
        self.wfile.write(raw)


def _found(rows: Mapping[str, Row], object_id: str) -> Row:
    if object_id not in rows:
        raise RefusedError(404, f"No such object: '{object_id}'", code="resource_missing")
    return rows[object_id]


def _page(rows: list[Row], params: Row, name: str) -> Row:
    """Return one page of a list, the newest first."""
    limit, after = int(params.get("limit", 10)), params.get("starting_after")
    wanted = [row for row in reversed(rows) if name not in params or row[name] == params[name]]
    if after:
        wanted = wanted[[row["id"] for row in wanted].index(after) + 1 :]
    return {
        "object": "list",
        "url": "/v1",
        "has_more": len(wanted) > limit,
        "data": [shown(row) for row in wanted[:limit]],
    }


def _nested(pairs: list[tuple[str, str]]) -> Row:
    """Return ``a[b][0]=c`` as dictionaries in one another."""
    result: Row = {}
    for name, value in pairs:
        *outer, last = name.replace("]", "").split("[")
        row = result
        for part in outer:
            row = row.setdefault(part, {})
        row[last] = value
    return result
