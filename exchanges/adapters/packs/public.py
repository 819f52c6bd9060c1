"""Venues of which nothing but ccxt is known: public data, and paper on top of it, but never an order."""

import re
from typing import Final

from exchanges.adapters.packs.base import Call, Codes, Shape, VenuePack
from exchanges.adapters.packs.dialect import Dialect, Document
from exchanges.adapters.packs.words import Word

_NO_ORDER: Final = re.compile(r"(?!)")
_CAREFUL_WEIGHT_PER_MINUTE: Final = 60


class UnknownDialect(Dialect):
    """A venue whose words are not known: that an answer is a no, only ccxt can tell."""

    def word_of(self, document: Document) -> Word | None:
        """Return None: a code may as well mean that all is well."""
        return None


class AnyPublicCall(Call):
    """Every question; without a key ccxt signs none, so none is private."""

    __slots__ = ()

    def fits(self, method: str, path: str) -> bool:
        """Tell whether a request only asks."""
        return method == self.method


def public_pack(ccxt_id: str) -> VenuePack:
    """Return the pack of a venue for which none was written; ccxt's own addresses count."""
    return VenuePack(
        ccxt_id=ccxt_id,
        name=ccxt_id,
        takes_orders=False,
        dialect=UnknownDialect(),
        address="",
        paths={},
        calls=(AnyPublicCall("GET", "*", shape=Shape.EITHER),),
        weight_per_minute=_CAREFUL_WEIGHT_PER_MINUTE,
        order_id=_NO_ORDER,
        order_types=frozenset(),
        has_post_only=False,
        no_stops_because="nobody has written down yet how it answers orders",
        codes=Codes(),
    )
