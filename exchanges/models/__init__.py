"""The tables of the exchanges, one aggregate a module."""

from exchanges.models.accounts import (
    USABLE_STATUSES,
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
    QuarantinedBar,
)
from exchanges.models.equity import ConversionRate, EquitySnapshot
from exchanges.models.history import UNFINISHED, FetchStatus, HistoryFetch
from exchanges.models.quotes import FundingFeed, FundingRate, Quote
from exchanges.models.venues import Instrument, InstrumentRules, Venue, VenueUse

__all__ = (
    "UNFINISHED",
    "USABLE_STATUSES",
    "AccountKind",
    "AccountStatus",
    "Balance",
    "CandleChunk",
    "CandleFeed",
    "CandleGap",
    "CandleImport",
    "CandleRevision",
    "CandleTail",
    "ConversionRate",
    "Credential",
    "EquitySnapshot",
    "ExchangeAccount",
    "FeedHold",
    "FetchStatus",
    "FundingFeed",
    "FundingRate",
    "HistoryFetch",
    "Instrument",
    "InstrumentRules",
    "QuarantinedBar",
    "Quote",
    "Venue",
    "VenueUse",
)
