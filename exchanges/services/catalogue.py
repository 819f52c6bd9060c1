"""Which venues and instruments there are: those that ship, and what a venue publishes."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import models

from exchanges.adapters import factory, loops, packs
from exchanges.adapters.protocol import InstrumentReport, MarketData
from exchanges.domain import naming
from exchanges.domain.naming import Market
from exchanges.domain.rules import TradingRules
from exchanges.models import ExchangeAccount, Instrument, InstrumentRules, Venue
from exchanges.selectors import instruments as instrument_reads
from exchanges.services.feeds import VenueOfflineError
from foundation.transactions import part_of_transaction, transactional
from market.errors import InvalidInputError, VenueError

logger = logging.getLogger(__name__)

BINANCE: Final = "binance"
BITTREX: Final = "bittrex"
SIMULATOR: Final = "simulator"
SIMULATOR_FUTURES: Final = "simulator-futures"


def _rules(tick: str, lot: str, minimum_notional: str) -> TradingRules:
    return TradingRules(Decimal(tick), Decimal(lot), Decimal(lot), Decimal(minimum_notional))


#: The rules of what ships, as the exchanges have (or had) them.
_MAJORS: Final = {
    "BTC/USDT": _rules("0.01", "0.00001", "5"),
    "ETH/USDT": _rules("0.01", "0.0001", "5"),
    "BNB/USDT": _rules("0.01", "0.001", "5"),
    "SOL/USDT": _rules("0.01", "0.001", "5"),
}
_SHIPPED: Final = {
    BINANCE: _MAJORS
    | {
        "ADA/BTC": _rules("0.00000001", "0.1", "0.0001"),
        "ICX/BTC": _rules("0.0000001", "0.01", "0.0001"),
        "NEO/BTC": _rules("0.000001", "0.01", "0.0001"),
        "ONT/BTC": _rules("0.00000001", "0.1", "0.0001"),
        "POWR/BTC": _rules("0.00000001", "1", "0.0001"),
        "XLM/BTC": _rules("0.00000001", "1", "0.0001"),
    },
    BITTREX: {
        "ADA/BTC": _rules("0.00000001", "0.00000001", "0.0005"),
        "XRP/BTC": _rules("0.00000001", "0.00000001", "0.0005"),
    },
    SIMULATOR: _MAJORS,
    SIMULATOR_FUTURES: {
        "BTC/USDT:USDT": _rules("0.01", "0.001", "5"),
        "ETH/USDT:USDT": _rules("0.01", "0.001", "5"),
        "BNB/USDT:USDT": _rules("0.01", "0.01", "5"),
        "SOL/USDT:USDT": _rules("0.01", "0.01", "5"),
    },
}
#: The markets of the simulator: a name, and the exchange whose protocol it speaks.
_SIMULATIONS: Final = {
    SIMULATOR: ("Simulator", "binance"),
    SIMULATOR_FUTURES: ("Simulator futures", "binanceusdm"),
}


class InvalidVenueCodeError(InvalidInputError):
    """A code that cannot be an address or a folder's name."""

    code = "invalid_venue_code"


@dataclass(frozen=True, slots=True)
class Synchronized:
    """What changed when a venue's instruments were read."""

    created: int
    changed: int
    delisted: int


@transactional
def ensure_venues(*, now: datetime) -> None:
    """Bring the venues that ship, and their instruments, into line with the code and the settings.

    Keys are taken where the platform can leave a stop at the exchange: a position must stay protected while the platform
    is down. The simulator is there only where its address is known: without one its client would speak to the real
    exchange.
    """
    for pack in packs.offered_packs():
        Venue.objects.update_or_create(
            code=pack.ccxt_id,
            defaults={
                "name": pack.name,
                "ccxt_id": pack.ccxt_id,
                "real_money": True,
                "takes_live_accounts": pack.protects_positions,
            },
        )
    Venue.objects.update_or_create(
        code=BITTREX,
        defaults={"name": "Bittrex (closed)", "ccxt_id": "", "real_money": True},
    )
    if settings.SIMULATOR_URL:
        for code, (name, ccxt_id) in _SIMULATIONS.items():
            Venue.objects.update_or_create(
                code=code,
                defaults={
                    "name": name,
                    "ccxt_id": ccxt_id,
                    "api_url": settings.SIMULATOR_URL,
                    "real_money": False,
                    "takes_live_accounts": True,
                    "is_active": True,
                },
            )
    else:
        Venue.objects.filter(code__in=_SIMULATIONS).update(is_active=False)
    for venue in Venue.objects.filter(code__in=_SHIPPED, is_active=True).order_by("pk"):
        for symbol, rules in _SHIPPED[venue.code].items():
            market = naming.market_of_symbol(symbol)
            if market is not None:
                ensure_instrument(venue=venue, market=market, rules=rules, now=now)


def add_data_venue(
    ccxt_id: str,
    *,
    now: datetime,
    market_of: Callable[[Venue], MarketData] = factory.market_data,
) -> Synchronized:
    """Add an exchange for which there is no pack, for market data and paper alone, with what trades there.

    Raise VenueError if ccxt does not know it, or if it does not answer; then nothing is added.
    """
    known = Venue(code=ccxt_id, name=ccxt_id, ccxt_id=ccxt_id, real_money=True)
    reports = loops.run(_ask_instruments(market_of(known)))
    venue = _store_venue(known)
    return _store_reports(venue=venue, reports=reports, now=now)


@transactional
def _store_venue(known: Venue) -> Venue:
    venue, _ = Venue.objects.get_or_create(
        code=known.code,
        defaults={"name": known.name, "ccxt_id": known.ccxt_id, "real_money": known.real_money},
    )
    return venue


@transactional
def create_offline_venue(code: str, *, name: str = "") -> Venue:
    """Create a venue whose candles are only imported, or return the one that has the code already.

    Raise InvalidVenueCodeError.
    """
    if not code.replace("-", "").isalnum() or not code.isascii() or len(code) > 40:
        raise InvalidVenueCodeError(f"'{code[:40]}': use letters, digits and hyphens, at most 40.")
    venue, _ = Venue.objects.get_or_create(
        code=code, defaults={"name": name or code, "ccxt_id": "", "real_money": True}
    )
    return venue


@part_of_transaction
def ensure_instrument(
    *, venue: Venue, market: Market, rules: TradingRules, now: datetime
) -> tuple[Instrument, bool]:
    """Return the instrument, created with *rules* if it was not there, and whether it was created."""
    instrument, created = Instrument.objects.get_or_create(
        venue=venue,
        symbol=market.symbol,
        defaults={
            "kind": market.kind,
            "base": market.base,
            "quote": market.quote,
            "settle": market.settle,
            **asdict(rules),
        },
    )
    if created:
        InstrumentRules.objects.create(instrument=instrument, valid_from=now, **asdict(rules))
    return instrument, created


def sync_instruments(
    venue_code: str,
    *,
    now: datetime,
    market_of: Callable[[Venue], MarketData] = factory.market_data,
) -> Synchronized:
    """Read the rules that a venue publishes now and store what has changed; raise VenueError if it does not answer."""
    venue = instrument_reads.get_venue(venue_code)
    reports = loops.run(_ask_instruments(market_of(venue)))
    return _store_reports(venue=venue, reports=reports, now=now)


def find_at_venue(
    *,
    venue_code: str,
    symbol: str,
    now: datetime,
    market_of: Callable[[Venue], MarketData] = factory.market_data,
) -> Instrument:
    """Return an instrument of a venue that can be asked, with the venue; learn what trades there if need be.

    Raises UnknownVenueError, VenueOfflineError, UnknownInstrumentError with the nearest names, and
    VenueError if it has to be asked and does not answer.
    """
    venue = instrument_reads.get_venue(venue_code)
    if not venue.ccxt_id:
        raise VenueOfflineError(venue)
    symbol = symbol.upper()
    if not Instrument.objects.filter(venue=venue, symbol=symbol).exists():
        sync_instruments(venue_code, now=now, market_of=market_of)
    return instrument_reads.get_instrument(venue_code, symbol)


def sync_live_venues(*, now: datetime) -> int:
    """Synchronize every simulation, and every venue on which people hold accounts; return how many answered."""
    held = ExchangeAccount.objects.filter(venue=models.OuterRef("pk"), closed_at=None)
    in_use = models.Q(takes_live_accounts=True, real_money=False) | models.Exists(held)
    codes = Venue.objects.filter(in_use, is_active=True).exclude(ccxt_id="")
    answered = 0
    for code in codes.order_by("code").values_list("code", flat=True):
        try:
            sync_instruments(code, now=now)
        except VenueError as error:
            logger.warning("instruments.unknown", extra={"venue": code, "reason": error.code})
        else:
            answered += 1
    return answered


async def _ask_instruments(market: MarketData) -> list[InstrumentReport]:
    try:
        return list(await market.instruments())
    finally:
        await market.close()


@transactional
def _store_reports(*, venue: Venue, reports: list[InstrumentReport], now: datetime) -> Synchronized:
    known = {
        instrument.symbol: instrument
        for instrument in Instrument.objects.select_for_update(of=("self",))
        .filter(venue=venue)
        .order_by("pk")
    }
    created = changed = 0
    for report in reports:
        market = naming.market_of_symbol(report.symbol)
        if market is None:
            continue
        instrument = known.pop(report.symbol, None)
        rules = TradingRules(
            tick_size=report.tick_size,
            lot_step=report.lot_step,
            minimum_quantity=report.minimum_quantity,
            minimum_notional=report.minimum_notional,
        )
        if instrument is None:
            created += ensure_instrument(venue=venue, market=market, rules=rules, now=now)[1]
        elif _apply(instrument, rules, is_active=report.is_active, now=now):
            changed += 1
    delisted = Instrument.objects.filter(
        pk__in=[instrument.pk for instrument in known.values()], is_active=True
    ).update(is_active=False, delisted_at=now)
    outcome = Synchronized(created=created, changed=changed, delisted=delisted)
    logger.info(
        "instruments.synchronized",
        extra={
            "venue": venue.code,
            "new_count": created,
            "changed_count": changed,
            "delisted_count": delisted,
        },
    )
    return outcome


def _apply(instrument: Instrument, rules: TradingRules, *, is_active: bool, now: datetime) -> bool:
    """Store what differs: rules as a new row and in the instrument, and whether it trades."""
    values = asdict(rules)
    new_rules = any(getattr(instrument, name) != value for name, value in values.items())
    if not new_rules and instrument.is_active == is_active:
        return False
    if new_rules:
        for name, value in values.items():
            setattr(instrument, name, value)
        InstrumentRules.objects.create(instrument=instrument, valid_from=now, **values)
    instrument.is_active = is_active
    instrument.delisted_at = None if is_active else now
    instrument.save(update_fields=[*values, "is_active", "delisted_at"])
    return True
