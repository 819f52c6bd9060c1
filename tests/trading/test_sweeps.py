"""The sweeper finds every group that is behind, however many others wait in vain."""

from datetime import timedelta

import pytest
from django.db import transaction

from exchanges.models import AccountKind
from exchanges.services import candles
from exchanges.services.candles import SeriesBars
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.models import DeploymentRevision, GroupShard, SignalGroup
from trading.services import sweeps

pytestmark = pytest.mark.django_db


def test_a_group_with_a_new_bar_gets_its_turn_beside_many_without_any(
    memory_venue, instrument, monkeypatch
):
    monkeypatch.setattr(sweeps, "_SWEPT_AT_ONCE", 1)
    opened_at = from_milliseconds(market_factory.NEW_YEAR_MS)
    account = factory.make_account(
        people.make_person(), instrument, kind=AccountKind.PAPER, now=opened_at
    )
    for number in range(3):
        factory.make_deployment(
            account,
            now=opened_at,
            name=f"Number {number}",
            parameters={"short_ema_period": 2, "long_ema_period": 5 + number},
            is_subscribed=number == 0,
        )
    group_ids = sorted(SignalGroup.objects.values_list("pk", flat=True))
    assert len(group_ids) == 3
    last = DeploymentRevision.objects.get(group_id=group_ids[-1])
    other = market_factory.make_instrument("ETH/USDT", venue=instrument.venue)
    last.group.instruments.set([other])
    bar = market_factory.make_candles([100.0], first_open_ms=market_factory.NEW_YEAR_MS)
    with transaction.atomic():
        candles.append_closed(timeframe=Timeframe.M1, batches=[SeriesBars(other.pk, bar)])
    SignalGroup.objects.update(last_bar_close_at=opened_at)
    GroupShard.objects.update(last_bar_close_at=opened_at)
    now = from_milliseconds(market_factory.NEW_YEAR_MS + MINUTE_MS) + timedelta(seconds=1)

    assert any(sweeps.sweep_evaluation(now=now) for _ in range(100))
