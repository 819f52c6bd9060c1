"""Reasons in words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from strategies.reasons import ReasonCode, phrase, sentence


@pytest.mark.parametrize("reason", ReasonCode)
def test_every_reason_has_words(reason):
    assert phrase(reason)
    assert not phrase(reason).endswith(".")


def test_a_sentence_names_symbol_and_bar_in_utc():
    at = datetime(2024, 3, 1, 16, 0, tzinfo=timezone(timedelta(hours=2)))

    said = sentence(ReasonCode.NO_SIGNAL, symbol="BTC/USDT", bar_close_at=at)

    assert said == "BTC/USDT 14:00: no entry, no cross"


def test_seconds_are_said_where_bars_are_that_short():
    at = datetime(2024, 3, 1, 14, 0, 7, tzinfo=UTC)

    assert "14:00:07" in sentence(ReasonCode.HOLD, symbol="BTC/USDT", bar_close_at=at)


def test_only_reasons_that_trade_act():
    assert ReasonCode.REVERSE.acts
    assert not ReasonCode.HOLD.acts
