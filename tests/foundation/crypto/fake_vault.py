"""A Vault with one thing in it: the transit engine, as its HTTP API is documented, really encrypting."""

import base64
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "hvs.canary-token-of-vault-7d1e55"
_PREFIX = "vault:v1:"


@dataclass
class FakeVault:
    """What the engine knows and what it was asked; ``status`` other than 200 is answered to everything."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    status: int = 200
    address: str = ""
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def answer(
        self, path: str, headers: Mapping[str, str], body: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Return status and document for one request."""
        self.asked.append(path)
        self.headers.append(dict(headers))
        if self.status != 200:
            return self.status, {"errors": ["Vault is sealed"]}
        if headers.get("X-Vault-Token") != TOKEN:
            return 403, {"errors": ["permission denied"]}
        bound_to = base64.b64decode(body["associated_data"])
        match path:
            case "/v1/transit/encrypt/trading-platform":
                nonce = secrets.token_bytes(12)
                sealed = AESGCM(self.key).encrypt(
                    nonce, base64.b64decode(body["plaintext"]), bound_to
                )
                text = base64.b64encode(nonce + sealed).decode()
                return 200, {"data": {"ciphertext": _PREFIX + text, "key_version": 1}}
            case "/v1/transit/decrypt/trading-platform":
                raw = base64.b64decode(body["ciphertext"].removeprefix(_PREFIX))
                try:
                    plain = AESGCM(self.key).decrypt(raw[:12], raw[12:], bound_to)
                except InvalidTag:
                    return 400, {"errors": ["cipher: message authentication failed"]}
                return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}
        return 404, {"errors": ["no handler for route"]}


@contextmanager
def fake_vault() -> Iterator[FakeVault]:
    """Serve a fresh Vault on loopback for the length of the block."""
    vault = FakeVault()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            status, document = vault.answer(
                self.path, dict(self.headers), json.loads(self.rfile.read(length))
            )
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vault.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
