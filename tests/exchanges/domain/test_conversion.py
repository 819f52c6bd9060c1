"""Conversion goes the shortest known way, in both directions, and admits where it knows none."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.domain.conversion import Rate, Rates

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRICES = st.decimals(min_value="0.00000001", max_value="1000000", places=8)
AMOUNTS = st.decimals(min_value=0, max_value="1000000000", places=8)


def rate(pair: str, price: str | Decimal, *, minutes_ago: int = 0) -> Rate:
    base, quote = pair.split("/")
    return Rate(base, quote, Decimal(price), NOW - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize(
    ("currency", "to", "amount"),
    [
        ("BTC", "USDT", "60000"),
        ("USDT", "BTC", "0.00001666666666666666666666666667"),
        ("BTC", "EUR", "50000"),
        ("DOGE", "EUR", "0.05"),
        ("EUR", "EUR", "1"),
    ],
)
def test_a_coin_is_worth_what_the_rates_say(currency, to, amount):
    rates = Rates(
        [rate("BTC/USDT", "60000"), rate("EUR/USDT", "1.2"), rate("DOGE/BTC", "0.000001")]
    )

    worth = rates.convert(Decimal(1), currency=currency, to=to)

    assert worth is not None
    assert abs(worth.amount - Decimal(amount)) < Decimal("1e-20")


def test_where_no_way_is_known_nothing_is_made_up():
    rates = Rates([rate("BTC/USDT", "60000")])

    assert rates.convert(Decimal(1), currency="USDT", to="USD") is None
    assert rates.convert(Decimal(1), currency="XYZ", to="USDT") is None


def test_the_age_of_a_figure_is_that_of_its_oldest_rate():
    rates = Rates(
        [rate("BTC/USDT", "60000", minutes_ago=5), rate("EUR/USDT", "1.2", minutes_ago=40)]
    )

    worth = rates.convert(Decimal(1), currency="BTC", to="EUR")
    own = rates.convert(Decimal(1), currency="EUR", to="EUR")

    assert worth is not None
    assert worth.at == NOW - timedelta(minutes=40)
    assert own is not None
    assert own.at is None


def test_the_direct_rate_comes_before_a_longer_way_and_the_last_given_before_the_first():
    rates = Rates(
        [
            rate("BTC/USDT", "1"),
            rate("BTC/USDT", "60000"),
            rate("EUR/USDT", "1.2"),
            rate("BTC/EUR", "49000"),
        ]
    )

    worth = rates.convert(Decimal(1), currency="BTC", to="EUR")

    assert worth is not None
    assert worth.amount == 49_000


@given(price=PRICES, amount=AMOUNTS)
def test_there_and_back_is_what_it_was(price, amount):
    rates = Rates([rate("BTC/USDT", price)])

    there = rates.convert(amount, currency="BTC", to="USDT")
    assert there is not None
    back = rates.convert(there.amount, currency="USDT", to="BTC")

    assert back is not None
    assert abs(back.amount - amount) <= amount * Decimal("1e-25")


@given(price=PRICES, amounts=st.lists(AMOUNTS, min_size=1, max_size=5))
def test_the_sum_of_the_worths_is_the_worth_of_the_sum(price, amounts):
    rates = Rates([rate("BTC/USDT", price), rate("EUR/USDT", "1.1")])

    parts = [rates.convert(amount, currency="BTC", to="EUR") for amount in amounts]
    whole = rates.convert(sum(amounts, Decimal(0)), currency="BTC", to="EUR")

    assert whole is not None
    total = sum((part.amount for part in parts if part is not None), Decimal(0))
    assert abs(total - whole.amount) <= whole.amount * Decimal("1e-24")
