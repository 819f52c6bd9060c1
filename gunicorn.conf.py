"""Settings of the web server; every one may be overridden on the command line."""

import os
from pathlib import Path

pythonpath = ".,platform"
wsgi_app = "config.wsgi:application"
bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"

# Threads, because a page waits for the database more than it computes.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = 8
timeout = 30
graceful_timeout = 4
keepalive = 5
max_requests = 10_000
max_requests_jitter = 1_000

# The heartbeat file must not lie on a slow disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# Its default socket lies in the home folder and is shared by every server of the same user.
no_control_socket = True
# The application's own log says who asked for what; a line for each poll of a page would bury it.
accesslog = None
errorlog = "-"
loglevel = "warning"
