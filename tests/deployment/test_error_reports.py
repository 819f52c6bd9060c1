"""An error report leaves the machine without secrets, variables and people."""

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import sentry_sdk

from config.error_reports import report_errors

CANARY = "canary-7f3a9c51e2d84b60"


@pytest.fixture
def received():
    """What a server of error reports on this machine is sent, as text."""
    bodies: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            bodies.append(body.decode())
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    report_errors(dsn=f"http://public@127.0.0.1:{server.server_port}/1", environment="test")
    yield bodies
    sentry_sdk.get_client().close()
    sentry_sdk.init()
    server.shutdown()
    server.server_close()


def test_a_report_names_the_error_and_no_secret(received):
    try:
        password = CANARY
        int(f"api_key={password}")
    except ValueError:
        sentry_sdk.add_breadcrumb(message=f"GET /order?signature={CANARY}")
        sentry_sdk.set_context("request", {"headers": {"X-MBX-APIKEY": CANARY}})
        sentry_sdk.capture_exception()
    sentry_sdk.flush(timeout=5)

    reports = "\n".join(received)
    assert "ValueError" in reports
    assert "«secret»" in reports or "\\u00absecret\\u00bb" in reports
    assert "canary" not in reports
