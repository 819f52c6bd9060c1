"""Who trades in the simulation: two people, one with a swap, one with two spot markets on one account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from django.conf import settings

from exchanges.models import AccountStatus, ExchangeAccount, Instrument
from exchanges.services import catalogue
from foundation.models import OutboxEvent
from market.timeframes import MINUTE_MS, Timeframe, to_milliseconds
from tests.exchanges.accounts.connecting import connect
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from tests.simulation.clock import DAWN, Clock
from tests.simulation.exchange import SimulatedExchange
from trading.models import Deployment

#: What each market costs at dawn; the exchange's names.
PRICES: Final[Mapping[str, float]] = MappingProxyType({"BTC/USDT": 40_000.0, "ETH/USDT": 2_500.0})

_SPOT, _SWAPS = "simulator", "simulator-futures"

#: Bars before dawn, at which nothing moves.
_BARS: Final = 30


@dataclass(frozen=True, slots=True)
class Desk:
    """One deployment, and with which key its account is known at the exchange."""

    name: str
    deployment: Deployment
    instrument: Instrument
    api_key: str
    secret: str
    is_swap: bool
    group_id: int

    @property
    def market(self) -> str:
        """What the exchange calls its market's price."""
        return self.instrument.symbol.partition(":")[0]


#: Name of the desk, whose it is, on which account of theirs, at which venue, and what is traded.
_DESKS: Final = (
    ("swap", "anna", "first", _SWAPS, "BTC/USDT:USDT"),
    ("bitcoin", "bela", "second", _SPOT, "BTC/USDT"),
    ("ether", "bela", "second", _SPOT, "ETH/USDT"),
)


def furnish(clock: Clock) -> list[Desk]:
    """Write the rows with which every day begins; they are there before the first one."""
    clock.set_to(DAWN - timedelta(minutes=1))
    settings.SIMULATOR_URL = "http://127.0.0.1:8900"
    catalogue.ensure_venues(now=clock.true_at)
    persons: dict[str, Any] = {}
    accounts: dict[str, ExchangeAccount] = {}
    desks = []
    for name, person, place, venue, symbol in _DESKS:
        owner = persons.get(person) or people.make_person(f"{person}@example.com")
        persons[person] = owner
        key = f"key-of-the-{place}-account"
        if place not in accounts:
            accounts[place] = _connect(owner, venue, key, place, clock)
        deployment = factory.make_deployment(
            accounts[place], now=clock.true_at, symbol=symbol, name=name
        )
        instrument = Instrument.objects.get(venue__code=venue, symbol=symbol)
        _store_stillness(instrument)
        group_id = deployment.revisions.get().group_id
        desks.append(
            Desk(name, deployment, instrument, key, f"{key}-secret", venue == _SWAPS, group_id)
        )
    OutboxEvent.objects.filter(delivered_at=None).update(delivered_at=clock.true_at)
    return desks


def fund(exchange: SimulatedExchange, desks: list[Desk]) -> None:
    """Create the accounts of *desks* at the exchange."""
    for desk in {desk.api_key: desk for desk in desks}.values():
        spot: Mapping[str, Any] = {"balances": {"USDT": "100000", "BNB": "10"}}
        swaps: Mapping[str, Any] = {"futures_balances": {"USDT": "100000"}}
        exchange.open_account(desk.api_key, desk.secret, funds=swaps if desk.is_swap else spot)


def _connect(owner: Any, venue: str, key: str, label: str, clock: Clock) -> ExchangeAccount:
    account = connect(
        owner, venue_code=venue, api_key=key, secret=f"{key}-secret", label=label, now=clock.true_at
    )
    ExchangeAccount.objects.filter(pk=account.pk).update(
        status=AccountStatus.ACTIVE, connected_at=clock.true_at, next_reconcile_at=clock.true_at
    )
    return ExchangeAccount.objects.select_related("owner").get(pk=account.pk)


def _store_stillness(instrument: Instrument) -> None:
    price = PRICES[instrument.symbol.partition(":")[0]]
    first_ms = to_milliseconds(DAWN) - _BARS * MINUTE_MS
    candles = market_factory.make_candles(
        [price] * _BARS, timeframe=Timeframe.M1, first_open_ms=first_ms
    )
    market_factory.store_candles(instrument, Timeframe.M1, candles)
