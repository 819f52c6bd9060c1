"""A universe as somebody writes it: one venue and many symbols."""

import re
from typing import TYPE_CHECKING, Final

from backtesting.domain.universes import MAXIMUM_MARKETS
from exchanges.selectors import instruments
from market.errors import InvalidInputError

if TYPE_CHECKING:
    from exchanges.models import Instrument

_EXAMPLE: Final = "binance:BTC/USDT,ETH/USDT"
_BETWEEN: Final = re.compile(r"[\s,;]+")


class UniverseRequiredError(InvalidInputError):
    """The strategy looks at many markets, and none were named."""

    code = "required"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} looks at many markets: name them, such as {_EXAMPLE}.")


class UniverseUnusedError(InvalidInputError):
    """The strategy looks at one market, and many were named."""

    code = "universe_not_used"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} looks at one market, not at a universe.")


class InvalidUniverseError(InvalidInputError):
    """A universe that cannot be read, or that has too few or too many markets."""

    code = "invalid_universe"


class MixedUniverseError(InvalidInputError):
    """Markets that one wallet cannot trade together."""

    code = "mixed_universe"


def parse_universe(text: str) -> "list[Instrument]":
    """Return the instruments of ``binance:BTC/USDT,ETH/USDT``, by symbol.

    Symbols stand between commas, semicolons or white space. Raises InvalidUniverseError,
    MixedUniverseError if they differ in kind or in the currency that they settle in, and
    UnknownVenueError or UnknownInstrumentError.
    """
    venue_code, separator, rest = text.strip().partition(":")
    symbols = [symbol for symbol in _BETWEEN.split(rest.strip()) if symbol]
    if not separator or not venue_code or not symbols:
        raise InvalidUniverseError(f"'{text[:60]}' is no universe; write it like {_EXAMPLE}.")
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise InvalidUniverseError(f"{twice[0][:40]} is named more than once.")
    if not 2 <= len(symbols) <= MAXIMUM_MARKETS:
        raise InvalidUniverseError(
            f"A universe has 2 to {MAXIMUM_MARKETS} markets, not {len(symbols)}."
        )
    found = instruments.get_instruments(venue_code, sorted(symbols))
    wallets = {(each.kind, each.settle) for each in found}
    if len(wallets) > 1:
        kinds = ", ".join(sorted(f"{kind.lower()} in {settle}" for kind, settle in wallets))
        raise MixedUniverseError(f"One wallet cannot trade these together: {kinds}.")
    return list(found)
