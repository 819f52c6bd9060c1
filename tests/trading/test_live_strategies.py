"""Every strategy of one market, live at a venue beside paper: the same bars, the same decisions.

The venue is walked through each bar from level to level, so that orders fill where a bar's matching
fills them; slippage is nothing on both sides. After every event the venue's truth and our rows are
compared, and what is held is covered by stops.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from exchanges.adapters import memory
from exchanges.adapters.memory import InMemoryVenue
from exchanges.models import AccountKind
from market.enums import Leg
from market.timeframes import from_milliseconds
from strategies import registry
from tests.factories import accounts as people
from tests.factories import trading as factory
from tests.trading.live_market import LiveMarket, MemoryExchange, make_swap
from tests.trading.test_paper_parity import CASES, market_of
from trading.models import Deployment, DeploymentDecision, Fill
from trading.selectors import markets

#: How many bars of a case are walked through, as far as 24 are too few for it to trade both ways.
BARS = {"cpr-daily": 72, "opening-range": 52, "premarket-breakout": 50, "rsi-divergence": 30}

pytestmark = pytest.mark.django_db


def run_beside_paper(case, monkeypatch):
    """Run *case* live and on paper over the same bars; return the market, and both deployments."""
    monkeypatch.setattr(markets, "SLIPPAGE_BPS", Decimal(0))
    definition = registry.get_definition(case.slug)
    params = registry.validate_params(definition, case.parameters)
    warm_up = definition.requirements(params).bars(case.timeframe)
    candles = market_of(case, warm_up)
    begins_at = from_milliseconds(int(candles.open_time[warm_up]))
    instrument, report = make_swap()
    venue = InMemoryVenue(
        instruments=[report], price=Decimal(str(candles.open[warm_up])).quantize(report.tick_size)
    )
    memory.use_venue(factory.VENUE_CODE, venue)
    owner = people.make_person()
    deployments = {}
    for kind in (AccountKind.PAPER, AccountKind.LIVE):
        account = factory.make_account(owner, instrument, kind=kind, now=begins_at)
        deployments[kind] = factory.make_deployment(
            account,
            now=begins_at,
            is_subscribed=kind is AccountKind.PAPER,
            symbol=instrument.symbol,
            strategy_slug=case.slug,
            timeframe=case.timeframe.value,
            parameters=dict(case.parameters),
        )
    live = deployments[AccountKind.LIVE]
    market = LiveMarket(
        MemoryExchange(venue, instrument.symbol),
        live.account,
        live,
        instrument,
        case.timeframe,
        begins_at + timedelta(seconds=1),
    )
    venue.clock = lambda: market.now
    market.walk(candles.slice(0, warm_up + BARS.get(case.slug, 24)), first=warm_up)
    return market, live, deployments[AccountKind.PAPER]


def fills_of(deployment: Deployment, *, until: datetime):
    """Return what filled up to the close of the last bar: on paper what comes then meets no bar."""
    fills = Fill.objects.filter(deployment=deployment, venue_at__lte=until)
    return [
        (leg_of(fill), fill.side, fill.quantity, fill.price)
        for fill in fills.select_related("order__intent").order_by("pk")
    ]


def leg_of(fill: Fill) -> str:
    """Return the leg; a stop that the price has passed when it is moved there is sold at once."""
    return Leg.STOP if fill.order.intent.reason_code == "STOP_HIT" else fill.order.leg


def reasons_of(deployment: Deployment):
    rows = DeploymentDecision.objects.filter(deployment=deployment).order_by("bar_close_at")
    return [(row.bar_close_at, row.reason) for row in rows]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.slug)
def test_live_decides_and_fills_as_paper_does_and_is_protected_at_all_times(case, monkeypatch):
    market, live, paper = run_beside_paper(case, monkeypatch)

    assert market.faults == []
    filled = fills_of(live, until=market.ends_at)
    assert filled == fills_of(paper, until=market.ends_at)
    assert reasons_of(live) == reasons_of(paper)
    assert {Leg(leg) for leg, *_ in filled} >= case.legs
    assert len(filled) >= 2
    memory.forget_venues()
