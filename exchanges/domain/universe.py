"""Which markets of a venue are worth looking at: filters over plain facts, the same today and in the past."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: Currencies that are meant to be worth what a currency of a state is, and those themselves.
STABLE: Final = frozenset(
    {
        *("USDT", "USDC", "BUSD", "DAI", "TUSD", "FDUSD", "USDP", "USDD", "GUSD", "PYUSD", "USDE"),
        *("USD1", "USDS", "RLUSD", "LUSD", "FRAX", "SUSD", "UST", "USTC", "PAX", "USDJ", "XUSD"),
        *("EURI", "AEUR", "EURC", "EURT", "EURS", "USD", "EUR", "GBP", "JPY", "AUD", "BRL", "TRY"),
        *("RUB", "UAH", "BIDR", "IDRT", "NGN", "ZAR", "PLN", "ARS", "MXN", "CHF", "CAD", "KRW"),
    }
)
_LEVERAGED: Final = re.compile(r"(?P<of>[A-Z0-9]{2,}?)(UP|DOWN|BULL|BEAR|[2-5][LS])")
#: A product is only recognized by its name if what it is of trades as well: JUP is no leveraged J.
_ONE_IN_BPS: Final = 10_000
#: More markets than any strategy looks at.
MOST_MARKETS: Final = 1_000


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """What is known of a market at one instant; None is not known.

    ``price`` is in quote, ``quote_volume`` that of a day in quote, ``spread_bps`` between bid and ask relative to
    their middle, ``age_days`` since it began to trade, ``volatility`` the standard deviation of daily
    logarithmic returns (0.02 is 2 % a day).
    """

    symbol: str
    base: str
    quote: str
    price: float | None = None
    quote_volume: float | None = None
    spread_bps: float | None = None
    age_days: float | None = None
    volatility: float | None = None


@dataclass(frozen=True, slots=True)
class UniverseFilter:
    """What a market must be like; None and empty demand nothing.

    ``only`` leaves out everything else, ``without`` wins over all. Leveraged tokens and pairs of two
    stable currencies stay out unless they are asked for. ``most`` keeps those with the largest volume.
    """

    quote: str = ""
    minimum_volume: float | None = None
    minimum_age_days: float | None = None
    minimum_price: float | None = None
    maximum_price: float | None = None
    maximum_spread_bps: float | None = None
    minimum_volatility: float | None = None
    maximum_volatility: float | None = None
    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    with_leveraged: bool = False
    with_stable: bool = False
    most: int | None = None


def filter_of(values: Mapping[str, Any]) -> UniverseFilter:
    """Return the filter that *values* describe, named alike on the page, in the API and by the command."""
    return UniverseFilter(
        quote=(values.get("quote") or "").strip().upper(),
        minimum_volume=values.get("min_volume"),
        minimum_age_days=values.get("min_age_days"),
        minimum_price=values.get("min_price"),
        maximum_price=values.get("max_price"),
        maximum_spread_bps=values.get("max_spread_bps"),
        minimum_volatility=values.get("min_volatility"),
        maximum_volatility=values.get("max_volatility"),
        only=_symbols_of(values.get("only") or ""),
        without=_symbols_of(values.get("without") or ""),
        with_leveraged=bool(values.get("with_leveraged")),
        with_stable=bool(values.get("with_stable")),
        most=values.get("top"),
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The markets that fit, largest volume first, and why each of the others does not."""

    markets: Sequence[MarketFacts]
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def symbols(self) -> list[str]:
        """The symbols of the markets that fit."""
        return [market.symbol for market in self.markets]


def written(venue_code: str, chosen: Chosen) -> str:
    """Return what was chosen as a universe, such as ``binance:BTC/USDT,ETH/USDT``; "" for nothing."""
    return f"{venue_code}:{','.join(sorted(chosen.symbols))}" if chosen.markets else ""


def choose(markets: Sequence[MarketFacts], wanted: UniverseFilter) -> Chosen:
    """Return the markets that are as *wanted*, and a word about each other one.

    A market of which a demanded fact is not known does not fit: no volume is no large volume.
    """
    bases = frozenset(market.base for market in markets)
    refused: dict[str, str] = {}
    fitting: list[MarketFacts] = []
    for market in markets:
        reason = _objection(market, wanted, bases)
        if reason is None:
            fitting.append(market)
        else:
            refused[market.symbol] = reason
    fitting.sort(key=lambda market: (-(market.quote_volume or 0.0), market.symbol))
    if wanted.most is not None:
        for market in fitting[wanted.most :]:
            refused[market.symbol] = f"not among the {wanted.most} with the largest volume"
        fitting = fitting[: wanted.most]
    return Chosen(fitting, refused)


def is_leveraged_token(base: str, *, bases: Collection[str]) -> bool:
    """Tell whether *base* is a product of another currency among *bases*: BTCUP, ETHBEAR, ADA3L."""
    found = _LEVERAGED.fullmatch(base)
    return found is not None and found["of"] in bases


def is_stable_pair(base: str, quote: str) -> bool:
    """Tell whether both sides are meant to keep the worth of a state's currency."""
    return base in STABLE and quote in STABLE


def spread_bps(bid: float, ask: float) -> float | None:
    """Return the distance between *bid* and *ask* relative to their middle; None for a broken book."""
    if not 0 < bid <= ask:
        return None
    return (ask - bid) / ((ask + bid) / 2) * _ONE_IN_BPS


def _symbols_of(text: str) -> frozenset[str]:
    return frozenset(each.strip().upper() for each in text.split(",") if each.strip())


def _objection(market: MarketFacts, wanted: UniverseFilter, bases: Collection[str]) -> str | None:
    if market.symbol in wanted.without:
        return "on the list of those left out"
    if wanted.only and market.symbol not in wanted.only:
        return "not on the list"
    if wanted.quote and market.quote != wanted.quote:
        return f"quoted in {market.quote}"
    if not wanted.with_leveraged and is_leveraged_token(market.base, bases=bases):
        return "leveraged token"
    if not wanted.with_stable and is_stable_pair(market.base, market.quote):
        return "pair of stable currencies"
    for name, value, least, most in (
        ("volume", market.quote_volume, wanted.minimum_volume, None),
        ("age in days", market.age_days, wanted.minimum_age_days, None),
        ("price", market.price, wanted.minimum_price, wanted.maximum_price),
        ("spread in bps", market.spread_bps, None, wanted.maximum_spread_bps),
        ("volatility", market.volatility, wanted.minimum_volatility, wanted.maximum_volatility),
    ):
        reason = _outside(name, value, least, most)
        if reason is not None:
            return reason
    return None


def _outside(name: str, value: float | None, least: float | None, most: float | None) -> str | None:
    if least is None and most is None:
        return None
    if value is None:
        return f"{name} is not known"
    if least is not None and value < least:
        return f"{name} {value:,.6g} is less than {least:,.6g}"
    if most is not None and value > most:
        return f"{name} {value:,.6g} is more than {most:,.6g}"
    return None
