"""The JSON API of venues and of what trades there."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchanges.adapters import abilities, key_guides
from exchanges.api import answers
from exchanges.models import Instrument, Venue
from exchanges.selectors import connecting, held, pages
from exchanges.selectors.held import HeldFilter, HeldSeries, Trouble
from foundation import pagination, schema
from market.enums import InstrumentKind
from market.timeframes import Timeframe


class Venues(APIView):
    """The exchanges that the platform knows."""

    required_scope = "read:market"

    @extend_schema(parameters=[*schema.PAGE], responses=schema.page_of(answers.VenueSerializer))
    def get(self, request: Request) -> Response:
        """List the venues by code, and whether keys can be connected there."""
        return pagination.page_response(
            request,
            lambda named, limit: pages.venues_after(code=named, limit=limit),
            name_of=lambda venue: venue.code,
            present=_present_venue,
        )


class Markets(APIView):
    """What trades at the exchanges."""

    required_scope = "read:market"

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("venue", "At this venue only, by its code."),
            schema.filter_by("symbol", "This symbol only, such as BTC/USDT."),
            schema.filter_by("kind", "Of this kind only.", values=list(InstrumentKind)),
        ],
        responses=schema.page_of(answers.MarketSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the markets with their steps and minima; the one listed longest first."""
        venue = pagination.text_parameter(request, "venue")
        symbol = pagination.text_parameter(request, "symbol")
        kind = pagination.choice_parameter(request, "kind", list(InstrumentKind))
        return pagination.page_response(
            request,
            lambda named, limit: pages.markets_after(
                key=pagination.key_of(named),
                limit=limit,
                venue_code=venue,
                symbol=symbol,
                kind=kind,
            ),
            name_of=lambda market: str(market.pk),
            present=_present_market,
            filters=("venue", "symbol", "kind"),
        )


class CandleSeries(APIView):
    """What is stored of every series of candles."""

    required_scope = "read:market"

    @extend_schema(
        parameters=[
            *schema.PAGE,
            schema.filter_by("venue", "At this venue only, by its code."),
            schema.filter_by("symbol", "Symbols with this in them only."),
            schema.filter_by("timeframe", "Of this length only.", values=list(Timeframe)),
            schema.filter_by("trouble", "With this trouble only.", values=list(Trouble)),
        ],
        responses=schema.page_of(answers.CandleSeriesSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the series with their extent, holes, revisions, size and freshness."""
        trouble = pagination.choice_parameter(request, "trouble", list(Trouble))
        wanted = HeldFilter(
            venue=pagination.text_parameter(request, "venue") or "",
            symbol=pagination.text_parameter(request, "symbol") or "",
            timeframe=pagination.choice_parameter(request, "timeframe", list(Timeframe)) or "",
            trouble=Trouble(trouble) if trouble else None,
        )
        return pagination.page_response(
            request,
            lambda named, limit: held.held_after(key=_key_of(named), limit=limit, wanted=wanted),
            name_of=lambda row: f"{row.instrument_id}:{row.timeframe}",
            present=_present_series,
            filters=("venue", "symbol", "timeframe", "trouble"),
        )


def _key_of(named: str | None) -> tuple[int, str] | None:
    """Return the series that a cursor names; None at the beginning."""
    if named is None:
        return None
    instrument_id, _, timeframe = named.partition(":")
    return int(instrument_id), timeframe


def _present_series(row: HeldSeries) -> dict[str, Any]:
    return {
        "market": row.market,
        "venue": row.venue_code,
        "symbol": row.symbol,
        "timeframe": row.timeframe.value,
        "first_open_at": row.first_open_at,
        "last_open_at": row.last_open_at,
        "bars": row.bars,
        "missing": row.missing,
        "gaps": row.gap_count,
        "confirmed_gaps": row.confirmed_gaps,
        "revisions": row.revisions,
        "refused": row.refused,
        "bytes": row.bytes,
        "is_followed": row.is_followed,
        "behind_since_at": row.behind_since_at,
    }


def _present_venue(venue: Venue) -> dict[str, Any]:
    able = abilities.abilities_of(venue)
    return {
        "code": venue.code,
        "name": venue.name,
        "real_money": venue.real_money,
        "use": venue.use.value,
        "takes_keys": venue.takes_live_accounts,
        "no_keys_because": able.no_keys_because,
        "order_types": sorted(able.order_types),
        "has_post_only": able.has_post_only,
        "has_dead_man_switch": able.has_dead_man,
        "has_practice_market": able.has_practice_market,
        "maker_fee_bps": f"{venue.maker_fee_bps.normalize():f}",
        "taker_fee_bps": f"{venue.taker_fee_bps.normalize():f}",
        "key_guide": _present_guide(venue) if venue.takes_live_accounts else None,
    }


def _present_guide(venue: Venue) -> dict[str, Any]:
    guide = key_guides.guide_for(venue)
    return {
        "where": guide.where,
        "allow": guide.allow,
        "never": guide.never,
        "hints": guide.hints,
        "needs_passphrase": guide.needs_passphrase,
        "tells_permissions": guide.tells_permissions,
        "addresses": connecting.egress_addresses(),
    }


def _present_market(market: Instrument) -> dict[str, Any]:
    steps = ("contract_size", "tick_size", "lot_step", "minimum_quantity", "minimum_notional")
    return {
        "market": f"{market.venue.code}:{market.symbol}",
        "venue": market.venue.code,
        "symbol": market.symbol,
        "kind": market.kind,
        "base": market.base,
        "quote": market.quote,
        "settle": market.settle,
        **{name: f"{getattr(market, name).normalize():f}" for name in steps},
    }
