"""All figures as the text that Prometheus reads."""

import os
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def render(*collectors: Collector) -> bytes:
    """Return what this process and its siblings have measured, and what *collectors* look up now."""
    parts = [generate_latest(_measured())]
    if collectors:
        looked_up = CollectorRegistry()
        for collector in collectors:
            looked_up.register(collector)
        parts.append(generate_latest(looked_up))
    return b"".join(parts)


def _measured() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's own gap
    return registry
