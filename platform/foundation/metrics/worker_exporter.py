"""The figures of a worker, served on a port of its own: off unless ``WORKER_METRICS_PORT`` is set."""

import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from celery.signals import worker_ready
from django.conf import settings

from foundation.metrics import exposition
from foundation.metrics.access import may_read

logger = logging.getLogger(__name__)


def connect() -> None:
    """Serve figures once a worker is ready; other processes never are."""
    worker_ready.connect(_serve, weak=False, dispatch_uid="foundation.metrics.worker_exporter")


def serve(port: int) -> ThreadingHTTPServer:
    """Serve ``/metrics`` from a thread on all interfaces; 0 takes a free port."""
    server = ThreadingHTTPServer(("0.0.0.0", port), _Handler)  # noqa: S104  another container asks
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _serve(**_: Any) -> None:
    if not settings.WORKER_METRICS_PORT:
        return
    try:
        serve(settings.WORKER_METRICS_PORT)
    except OSError as error:
        # Trading goes on without figures; that they are missing is an alert of its own.
        logger.error("metrics.port_unavailable", extra={"reason": str(error)})  # noqa: TRY400


class _Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self) -> None:
        """Answer ``/metrics`` to whoever may read it; to everybody else there is nothing here."""
        allowed = self.path == "/metrics" and may_read(
            authorization=self.headers.get("Authorization", ""),
            peer=self.client_address[0],
            is_forwarded="X-Forwarded-For" in self.headers,
        )
        if not allowed:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = exposition.render()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", exposition.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the library's
        """Say nothing: Prometheus asks every few seconds."""
