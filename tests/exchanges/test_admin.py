"""The operators' lists of venues and candles, with rows in them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import transaction
from django.urls import reverse

from exchanges import models
from exchanges.services import candles as candle_store
from exchanges.services import feeds
from exchanges.services.candles import SeriesBars
from market.timeframes import Timeframe
from tests.factories.accounts import sign_in_operator
from tests.factories.exchanges import make_candles, make_instrument, store_candles

pytestmark = pytest.mark.django_db

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
LISTS = [
    models.Venue,
    models.Instrument,
    models.InstrumentRules,
    models.CandleChunk,
    models.CandleTail,
    models.CandleRevision,
    models.CandleGap,
    models.CandleImport,
    models.CandleFeed,
    models.FeedHold,
]


@pytest.fixture
def rows():
    """One row at least in every table of LISTS."""
    instrument = make_instrument()
    models.InstrumentRules.objects.create(
        instrument=instrument,
        valid_from=JANUARY,
        tick_size=Decimal("0.01"),
        lot_step=Decimal("0.001"),
        minimum_quantity=Decimal("0.001"),
        minimum_notional=Decimal(5),
        contract_size=Decimal(1),
    )
    candles = make_candles([100.0] * 9)
    store_candles(instrument, Timeframe.H1, candles.slice(0, 3))
    revised = candles.slice(1, 2)
    changed = replace(revised, close=revised.close + 0.25)
    store_candles(instrument, Timeframe.H1, changed)
    with transaction.atomic():
        candle_store.append_closed(
            timeframe=Timeframe.H1, batches=[SeriesBars(instrument.pk, candles.slice(6, 9))]
        )
        feeds.hold(
            instrument_id=instrument.pk,
            timeframe=Timeframe.H1,
            holder="group:1",
            backfill_from_at=JANUARY,
        )
    models.CandleImport.objects.create(
        venue=instrument.venue,
        instrument=instrument,
        timeframe="1h",
        file_name="1h.csv",
        sha256="0" * 64,
        row_count=3,
        added=3,
        revised=0,
        missing=0,
    )


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_list_and_row_open_and_offer_no_change(client, rows, model):
    sign_in_operator(client)
    name = model._meta.model_name
    row = model.objects.first()

    listing = client.get(reverse(f"admin:exchanges_{name}_changelist"))
    detail = client.get(reverse(f"admin:exchanges_{name}_change", args=[row.pk]))

    assert (listing.status_code, detail.status_code) == (200, 200)
    assert 'name="_save"' not in detail.text
    assert client.get(reverse(f"admin:exchanges_{name}_add")).status_code == 403
