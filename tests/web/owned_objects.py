"""A row of a person for every address that names one, so that the walk can try it as somebody else.

Keyed by the name of an address (``trading:detail``), or by its namespace (``trading``) where all of its addresses name
the same thing. A factory makes the row for the owner it is given and returns the arguments of the address. Any
``tests/<app>/owned_objects.py`` with a dictionary ``OWNED_OBJECTS`` is found by itself.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from uuid import UUID

from accounts.models import User

Factory = Callable[[User], Mapping[str, UUID]]

OWNED_OBJECTS: dict[str, Factory] = {}


def all_owned_objects() -> dict[str, Factory]:
    """Return the factories of every app."""
    factories: dict[str, Factory] = {}
    for path in sorted(Path(__file__).resolve().parents[1].glob("*/owned_objects.py")):
        factories |= import_module(f"tests.{path.parent.name}.owned_objects").OWNED_OBJECTS
    return factories


def factory_of(name: str, factories: Mapping[str, Factory]) -> Factory | None:
    """Return the factory for the address called *name*, or None."""
    return factories.get(name) or factories.get(name.rpartition(":")[0])
