"""Instants of the form of a backtest are in UTC, wherever its reader lives."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from backtesting.web.forms import UtcInstantField


@pytest.mark.parametrize("text", ["2024-01-05T10:00", "2024-01-05 10:00:00", "01/05/2024 10:00"])
def test_what_is_typed_is_utc_in_every_zone(text):
    with timezone.override("Asia/Tokyo"):
        instant = UtcInstantField().clean(text)

    assert instant == datetime(2024, 1, 5, 10, tzinfo=UTC)
