"""What has to be known of a venue beyond what ccxt knows: one pack for each market that takes orders."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from exchanges.adapters.packs.base import VenuePack
from exchanges.adapters.packs.binance import BINANCE
from exchanges.adapters.packs.binance_usdm import BINANCE_USDM
from exchanges.adapters.packs.bingx import BINGX
from exchanges.adapters.packs.bitget import BITGET
from exchanges.adapters.packs.bybit import BYBIT
from exchanges.adapters.packs.gate import GATE
from exchanges.adapters.packs.htx import HTX
from exchanges.adapters.packs.kraken import KRAKEN
from exchanges.adapters.packs.kucoin import KUCOIN
from exchanges.adapters.packs.mexc import MEXC
from exchanges.adapters.packs.okx import OKX
from exchanges.adapters.packs.public import public_pack

_PACKS: Final[Mapping[str, VenuePack]] = MappingProxyType(
    {
        pack.ccxt_id: pack
        for pack in (
            BINANCE,
            BINANCE_USDM,
            BYBIT,
            OKX,
            KRAKEN,
            KUCOIN,
            GATE,
            BITGET,
            MEXC,
            HTX,
            BINGX,
        )
    }
)


def pack_of(ccxt_id: str) -> VenuePack:
    """Return the pack of a venue; one that takes no orders, for public data alone, if none was written."""
    return _PACKS.get(ccxt_id) or public_pack(ccxt_id)


def offered_packs() -> Sequence[VenuePack]:
    """Return the packs of all markets that take orders, by name."""
    return sorted(_PACKS.values(), key=lambda pack: pack.name)


def takes_orders(ccxt_id: str) -> bool:
    """Tell whether the platform sends orders to a venue; every other one serves market data and paper."""
    return ccxt_id in _PACKS
