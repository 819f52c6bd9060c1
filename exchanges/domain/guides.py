"""What a person ticks at each exchange when they make a key for the platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class ConnectGuide:
    """How to make a key at an exchange, in its own words.

    ``allow`` and ``never`` are the names of permissions as its page has them; ``where`` is the way to that page.
    ``needs_passphrase`` is whether it gives a third value with a key, ``tells_permissions`` whether a key can be asked
    what it may do.
    """

    where: str
    allow: tuple[str, ...]
    never: tuple[str, ...]
    needs_passphrase: bool = False
    tells_permissions: bool = True
    hints: tuple[str, ...] = ()


_ANY: Final = ConnectGuide(
    where="API management, in the settings of your account",
    allow=("Reading", "Trading"),
    never=("Withdrawals", "Transfers"),
)

#: By the code of the venue, or else by the exchange that speaks its protocol.
_GUIDES: Final[Mapping[str, ConnectGuide]] = MappingProxyType(
    {
        "binance": ConnectGuide(
            where="Profile, API Management, Create API, System generated",
            allow=("Enable Reading", "Enable Spot & Margin Trading"),
            never=("Enable Withdrawals", "Permits Universal Transfer", "Enable Internal Transfer"),
            hints=(
                "Binance takes away trading from a key without an address after some weeks.",
                "Choose a system-generated (HMAC) key; key pairs of your own are not supported.",
            ),
        ),
        "binanceusdm": ConnectGuide(
            where="Profile, API Management, Create API, System generated",
            allow=("Enable Reading", "Enable Futures"),
            never=("Enable Withdrawals", "Permits Universal Transfer", "Enable Internal Transfer"),
            hints=(
                "A key that is older than your futures account cannot trade futures: make a new one.",
                "Use one-way position mode.",
            ),
        ),
        "bybit": ConnectGuide(
            where="Account, API, Create New Key, System-generated API Keys",
            allow=("Read-Write", "Unified Trading: Orders", "Unified Trading: Positions"),
            never=("Assets: Withdrawal", "Assets: Account Transfer", "Assets: Subaccount Transfer"),
            hints=("A key without an address ends by itself after three months.",),
        ),
        "okx": ConnectGuide(
            where="Profile, API, Create API key",
            allow=("Read", "Trade"),
            never=("Withdraw",),
            needs_passphrase=True,
            hints=("The passphrase is the one that you choose when you make the key.",),
        ),
        "kraken": ConnectGuide(
            where="Settings, API, Create API key",
            allow=(
                "Funds: Query",
                "Orders and trades: Query open orders & trades",
                "Orders and trades: Query closed orders & trades",
                "Orders and trades: Create & modify orders",
                "Orders and trades: Cancel & close orders",
            ),
            never=("Funds: Withdraw", "Funds: Deposit", "Earn"),
        ),
        "kucoin": ConnectGuide(
            where="Account, API Management, Create API",
            allow=("General", "Spot Trading"),
            never=("Withdrawal", "Transfer", "FlexTransfers"),
            needs_passphrase=True,
            hints=("The passphrase is the API passphrase of the key, not your trading password.",),
        ),
        "gate": ConnectGuide(
            where="API Management, API v4 Keys, Create API Key",
            allow=("Spot Trade: Read And Write", "Wallet: Read Only"),
            never=("Withdraw", "Wallet: Read And Write"),
        ),
        "bitget": ConnectGuide(
            where="API Management, Create API, System-generated",
            allow=("Read-write", "Spot: Trade"),
            never=("Withdraw", "Transfer"),
            needs_passphrase=True,
            hints=("The passphrase is the one that you choose when you make the key.",),
        ),
        "mexc": ConnectGuide(
            where="API Management, Create",
            allow=("Account: View Account Details", "Trade: View Order Details", "Trade: Trade"),
            never=("Withdraw", "Transfer"),
            hints=("A key without an address ends by itself after 90 days.",),
        ),
        "htx": ConnectGuide(
            where="API Management, Create new API key",
            allow=("Read", "Trade"),
            never=("Withdraw",),
            hints=("A key without an address ends by itself after 90 days.",),
        ),
        "bingx": ConnectGuide(
            where="API Management, Create API",
            allow=("Read", "Spot Trading"),
            never=("Withdraw", "Universal Transfer", "Sub-account Transfer"),
        ),
        "simulator": ConnectGuide(
            where="The simulator's own administration, by which an operator opens accounts",
            allow=("READ", "TRADE"),
            never=("WITHDRAW",),
            hints=("Play money: nothing that happens here is real.",),
        ),
    }
)


def guide_of(venue_code: str, ccxt_id: str) -> ConnectGuide:
    """Return the guide of a venue, or what holds for any exchange."""
    family = venue_code.partition("-")[0]
    return _GUIDES.get(venue_code) or _GUIDES.get(family) or _GUIDES.get(ccxt_id) or _ANY
