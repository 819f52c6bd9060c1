"""What a secret is outside the database, and where it belongs."""

import hmac
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Self

_SHOWN: Final = "«secret»"
_SHOWN_SEALED: Final = "«sealed»"


@dataclass(frozen=True, slots=True)
class SecretContext:
    """The one place at which a secret may be opened.

    ``owner`` is the person's public id, ``holder`` the public id of the row that the secret serves, ``field`` the
    column, ``version`` the number of the replacement (from 1).
    """

    owner: str
    holder: str
    field: str
    version: int

    def canonical(self) -> bytes:
        """Return the context as bytes; two different contexts never give the same ones."""
        parts = (self.owner, self.holder, self.field, str(self.version))
        encoded = [part.encode("utf-8") for part in parts]
        return b"|".join(b"%d:%s" % (len(part), part) for part in encoded)


class Secret:
    """A secret in the clear: it has to be asked for its value, and shows it in no other way.

    It is no string and refuses to be pickled, copied deeply or turned into JSON, so that it cannot slip into a log, a
    message or a cache.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a secret is not looked up by value

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value; only the code that hands it to its consumer calls this."""
        return self._value

    def __repr__(self) -> str:
        return _SHOWN

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return _SHOWN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode("utf-8"), other._value.encode("utf-8"))

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A secret is not pickled or copied.")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        raise TypeError("A secret is not pickled or copied.")


class SealedSecret(bytes):
    """A secret as it is stored: safe to keep, useless without its key and its context."""

    __slots__ = ()

    def __repr__(self) -> str:
        return _SHOWN_SEALED

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return _SHOWN_SEALED
