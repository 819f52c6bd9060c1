"""The JSON API of venues and of what trades there."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchanges.adapters import key_guides
from exchanges.api import answers
from exchanges.models import Instrument, Venue
from exchanges.selectors import connecting, pages
from foundation import pagination, schema
from market.enums import InstrumentKind


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


def _present_venue(venue: Venue) -> dict[str, Any]:
    return {
        "code": venue.code,
        "name": venue.name,
        "real_money": venue.real_money,
        "takes_keys": venue.takes_live_accounts,
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
