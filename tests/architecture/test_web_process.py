"""The process that answers requests loads no compiler, no indicator library and no exchange's client."""

import json
import subprocess
import sys

#: Every module that a request can reach is imported with the addresses.
_BEGIN = """
import json, sys
import config.wsgi
from django.urls import get_resolver
get_resolver().url_patterns
def walk(patterns):
    for each in patterns:
        walk(each.url_patterns) if hasattr(each, "url_patterns") else each.callback
walk(get_resolver().url_patterns)
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""
_HEAVY = {"numba", "llvmlite", "talib", "ccxt", "optuna", "scipy", "pandas"}


def test_it_begins_without_them():
    told = subprocess.run(
        [sys.executable, "-c", _BEGIN], check=True, capture_output=True, text=True, timeout=120
    )
    loaded = set(json.loads(told.stdout.splitlines()[-1]))

    assert {"backtesting", "trading", "strategies", "exchanges"} <= loaded
    assert not loaded & _HEAVY
