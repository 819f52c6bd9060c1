"""The tables of the exchanges, one aggregate a module."""

from exchanges.models.accounts import (
    AccountKind,
    AccountStatus,
    Balance,
    Credential,
    ExchangeAccount,
)
from exchanges.models.candles import (
    CandleChunk,
    CandleFeed,
    CandleGap,
    CandleImport,
    CandleRevision,
    CandleTail,
    FeedHold,
)
from exchanges.models.venues import Instrument, InstrumentRules, Venue

__all__ = (
    "AccountKind",
    "AccountStatus",
    "Balance",
    "CandleChunk",
    "CandleFeed",
    "CandleGap",
    "CandleImport",
    "CandleRevision",
    "CandleTail",
    "Credential",
    "ExchangeAccount",
    "FeedHold",
    "Instrument",
    "InstrumentRules",
    "Venue",
)
