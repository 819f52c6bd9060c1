"""How functions are compiled, and where the compiled code is kept."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numba

_ROOT: Final = Path(__file__).resolve().parents[3]

#: Where compiled functions live. They are inlined into one another across these, and the compiler's
#: cache knows only the file of each one.
_SOURCES: Final = ("platform/market", "strategies", "backtesting/engine")


def compiled(function: Any) -> Any:
    """Compile *function* when it is first called, once for each version of all kernels.

    Strict floating-point arithmetic, so that every machine and every path gives the same bits; the
    lock of the interpreter is released while it runs.
    """
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


def inlined(function: Any) -> Any:
    """Compile *function* as ``compiled`` does, into each of its callers.

    For small functions that are handed arrays: a call counts their references, by instructions that
    stop the other cores, and costs more than such a function does.
    """
    return numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)


@contextmanager
def one_compiler() -> Iterator[None]:
    """Let one process at a time compile; those that waited find what it has compiled.

    Compiling everything takes the better part of a minute, loading it less than a second.
    """
    folder = Path(_FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _base_folder() -> Path:
    given = os.environ.get("NUMBA_CACHE_DIR", "")
    if given:
        return Path(given)
    if os.access(_ROOT, os.W_OK):
        return _ROOT / ".kernels"
    return Path(tempfile.gettempdir()) / f"kernels-{os.getuid()}"


def _cache_folder() -> str:
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            if not {"migrations", "web", "api", "admin", "services"} & set(path.parts):
                digest.update(path.read_bytes())
    return str(_base_folder() / digest.hexdigest()[:16])


_FOLDER: Final = _cache_folder()
numba.config.CACHE_DIR = _FOLDER  # type: ignore[attr-defined]
