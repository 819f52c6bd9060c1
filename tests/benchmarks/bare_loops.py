"""The work of ``peers.workload`` as a bare loop, in C and compiled by numba: the limits of ours."""

import ctypes
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np

from tests.benchmarks.peers import workload

_SOURCE = Path(__file__).with_name("bare_loop.c")
_FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC")
_THREADS = 2


class LoopInC:
    """The loop in C, compiled into *folder*; ``is_there`` is False without a compiler."""

    name = "bare C loop"

    def __init__(self, folder):
        compiler = shutil.which("gcc")
        self.is_there = compiler is not None
        if compiler is None:
            return
        library = Path(folder) / "bare_loop.so"
        subprocess.run([compiler, *_FLAGS, "-o", library, _SOURCE, "-lm"], check=True)
        self._loaded = ctypes.CDLL(str(library))
        self._loaded.run.restype = ctypes.c_int64

    def run(self, bars, fast, slow):
        """Return the final equity and the number of trades."""
        equity = ctypes.c_double()
        trades = self._loaded.run(
            *_columns(bars),
            ctypes.c_int64(fast),
            ctypes.c_int64(slow),
            ctypes.c_int64(workload.FIRST_BAR),
            ctypes.c_double(workload.CAPITAL),
            ctypes.c_double(workload.FEE),
            ctypes.byref(equity),
        )
        return equity.value, trades

    def run_pairs(self, bars):
        """Return the final equities of all pairs; two threads share them."""

        def some(pairs):
            fast, slow = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
            equities = np.empty(len(pairs))
            self._loaded.run_pairs(
                *_columns(bars),
                _pointer(fast),
                _pointer(slow),
                ctypes.c_int64(len(pairs)),
                ctypes.c_int64(workload.FIRST_BAR),
                ctypes.c_double(workload.CAPITAL),
                ctypes.c_double(workload.FEE),
                _pointer(equities),
            )
            return equities

        return _shared(some)


class LoopInNumba:
    """The same loop, compiled by numba as one would write it."""

    name = "bare numba loop"
    is_there = True

    def run(self, bars, fast, slow):
        """Return the final equity and the number of trades."""
        return _run(bars["open"], bars["close"], fast, slow, _terms())

    def run_pairs(self, bars):
        """Return the final equities of all pairs; two threads share them."""

        def some(pairs):
            equities = np.empty(len(pairs))
            _run_pairs(bars["open"], bars["close"], np.array(pairs), _terms(), equities)
            return equities

        return _shared(some)


@numba.njit(nogil=True)
def _run(opens, closes, fast, slow, terms):
    first, capital, fee = terms
    a, b = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    one = two = closes[0]
    cash, held, trades = capital, 0.0, 0
    was_above = was_below = False
    for i in range(1, len(closes) - 1):
        one = a * closes[i] + (1.0 - a) * one
        two = b * closes[i] + (1.0 - b) * two
        above, below = one > two, one < two
        if above and not was_above and held == 0.0 and i >= first:
            cash -= opens[i + 1] * (1.0 + fee)
            held = 1.0
        elif below and not was_below and held > 0.0:
            cash += opens[i + 1] * (1.0 - fee)
            held = 0.0
            trades += 1
        was_above, was_below = above, below
    return cash + held * closes[-1], trades


@numba.njit(nogil=True)
def _run_pairs(opens, closes, pairs, terms, equities):
    for j in range(len(pairs)):
        equities[j] = _run(opens, closes, pairs[j, 0], pairs[j, 1], terms)[0]


def _shared(some):
    parts = [workload.PAIRS[k::_THREADS] for k in range(_THREADS)]
    found = np.empty(len(workload.PAIRS))
    with ThreadPoolExecutor(_THREADS) as threads:
        for k, equities in enumerate(threads.map(some, parts)):
            found[k::_THREADS] = equities
    return found


def _terms():
    return workload.FIRST_BAR, workload.CAPITAL, workload.FEE


def _columns(bars):
    opens, closes = bars["open"], bars["close"]
    return _pointer(opens), _pointer(closes), ctypes.c_int64(len(closes))


def _pointer(array):
    return ctypes.c_void_p(array.ctypes.data)
