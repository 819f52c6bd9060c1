"""Which source a strategy consists of: its own module, and the indicators that it is made from."""

import ast
import hashlib
import inspect
import pkgutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final

from strategies import indicators

_HOME: Final = indicators.__name__


def fingerprint(module: ModuleType, *, release: str = "") -> str:
    """Return the SHA-256 (hex) of the source of *module* and of the indicators that it uses.

    *release* counts as well, if there is one: name and version of the package that it is from.
    """
    texts = [inspect.getsource(module), *map(_source_of, indicators_of(module))]
    text = "\n".join([*texts, release] if release else texts)
    return hashlib.sha256(text.encode()).hexdigest()


def indicators_of(module: ModuleType) -> tuple[str, ...]:
    """Return the modules of indicators that *module* uses, by name, with those that they use.

    However late they are imported, they count; a strategy that takes the whole package has all.
    """
    used: set[str] = set()
    _gather(inspect.getsource(module), used)
    return tuple(sorted(used))


def _gather(source: str, found: set[str]) -> None:
    """Add to *found* the indicator modules that *source* imports, and those that they import."""
    for name in _imported(source) - found:
        found.add(name)
        _gather(_source_of(name), found)


@cache
def _imported(source: str) -> frozenset[str]:
    """Return the modules of indicators that *source* imports anywhere; all if it takes the package."""
    known = _all()
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            home = node.module or ""
            named = {home, *(f"{home}.{alias.name}" for alias in node.names)}
            # ``from strategies.indicators import averages`` names the package only on the way.
            if named & known:
                named.discard(_HOME)
        else:
            continue
        found |= known if _HOME in named else named & known
    return frozenset(found)


@cache
def _all() -> frozenset[str]:
    modules = pkgutil.iter_modules(indicators.__path__, prefix=f"{_HOME}.")
    return frozenset(module.name for module in modules)


@cache
def _source_of(name: str) -> str:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ValueError(f"The source of {name} is not there.")
    return Path(spec.origin).read_text(encoding="utf-8")
