"""How functions are compiled, and where the compiled code is kept."""

import hashlib
import os
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


def _cache_folder() -> str:
    given = os.environ.get("NUMBA_CACHE_DIR", "")
    base = Path(given) if given else _ROOT / ".kernels"
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            if not {"migrations", "web", "api", "admin", "services"} & set(path.parts):
                digest.update(path.read_bytes())
    return str(base / digest.hexdigest()[:16])


numba.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]
