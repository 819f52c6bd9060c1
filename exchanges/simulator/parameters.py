"""Reading the parameters of a request, refusing what Binance refuses."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qsl

from exchanges.simulator import errors

#: No number of ours has more decimals, at the venue that is imitated or here.
DECIMALS: Final = 8

_NUMBER: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_INTEGER: Final = r"^[0-9]{1,20}$"
_SYMBOL: Final = r"^[A-Z0-9-_.]{1,20}$"
_CLIENT_ORDER_ID: Final = r"^[a-zA-Z0-9-_.:/]{1,36}$"


class Parameters:
    """The parameters of one request, from the query string and then the body.

    Every reader raises ``ApiError`` with the code that Binance gives to the mistake.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def parse(cls, query: str, body: str) -> "Parameters":
        """Read two form-encoded strings; the query wins where both name a parameter."""
        pairs = parse_qsl(body, keep_blank_values=True) + parse_qsl(query, keep_blank_values=True)
        return cls(dict(pairs))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def peek(self, name: str) -> str:
        """Return the text as it was sent, empty if it was not."""
        return self._values.get(name, "")

    def as_sent(self) -> Mapping[str, str]:
        """Return everything that was sent."""
        return self._values

    def find(self, name: str) -> str | None:
        """Return the text, or None if the parameter was not sent; an empty one is refused."""
        value = self._values.get(name)
        if value == "":
            raise errors.empty_parameter(name)
        return value

    def get(self, name: str) -> str:
        """Return the text of a mandatory parameter."""
        value = self._values.get(name)
        if not value:
            raise errors.mandatory_parameter(name)
        return value

    def find_integer(self, name: str) -> int | None:
        """Return a whole number >= 0, or None if it was not sent."""
        value = self.find(name)
        if value is None:
            return None
        if not re.match(_INTEGER, value):
            raise errors.illegal_characters(name, _INTEGER)
        return int(value)

    def get_integer(self, name: str) -> int:
        """Return a mandatory whole number >= 0."""
        self.get(name)
        value = self.find_integer(name)
        assert value is not None  # noqa: S101 - narrowing: get() has just refused its absence
        return value

    def limit(self, *, default: int, largest: int) -> int:
        """Return ``limit`` between 1 and *largest*."""
        value = self.find_integer("limit")
        if value is None:
            return default
        if value < 1:
            raise errors.illegal_characters("limit", "^[1-9][0-9]{0,3}$")
        return min(value, largest)

    def find_decimal(self, name: str) -> Decimal | None:
        """Return an exact number > 0 with at most eight decimals, or None if it was not sent."""
        value = self.find(name)
        if value is None:
            return None
        if not re.match(_NUMBER, value):
            raise errors.illegal_characters(name, _NUMBER)
        number = Decimal(value).normalize()
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > DECIMALS:
            raise errors.too_much_precision(name)
        return number

    def get_decimal(self, name: str) -> Decimal:
        """Return a mandatory exact number."""
        self.get(name)
        value = self.find_decimal(name)
        assert value is not None  # noqa: S101 - narrowing: get() has just refused its absence
        return value

    def get_symbol(self) -> str:
        """Return the mandatory ``symbol``, well formed but perhaps not listed."""
        value = self.get("symbol")
        if not re.match(_SYMBOL, value):
            raise errors.illegal_characters("symbol", _SYMBOL)
        return value

    def find_client_order_id(self, name: str) -> str | None:
        """Return a client order id of at most 36 legal characters, or None."""
        value = self.find(name)
        if value is not None and not re.match(_CLIENT_ORDER_ID, value):
            raise errors.illegal_characters(name, _CLIENT_ORDER_ID)
        return value
