"""Numbers read the way people write them, and never lie."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.numerals import (
    ABSENT,
    direction_of,
    duration_text,
    money_text,
    number_text,
    percent_text,
    price_text,
    quantity_text,
)

MINUS = "\N{MINUS SIGN}"
FINITE = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)


@pytest.mark.parametrize(
    "text_of",
    [number_text, money_text, percent_text, quantity_text, price_text, duration_text],
)
@pytest.mark.parametrize("nothing", [None, "", Decimal("NaN"), float("nan")])
def test_what_is_absent_is_a_dash(text_of, nothing):
    assert text_of(nothing) == ABSENT


@pytest.mark.parametrize(
    ("value", "currency", "signed", "expected"),
    [
        (Decimal("1234567.891"), "USDT", False, "1,234,567.89"),
        (Decimal("-12.3"), "USDT", False, f"{MINUS}12.30"),
        (Decimal("12.3"), "USDT", True, "+12.30"),
        (Decimal(0), "USDT", True, "0.00"),
        (Decimal("-0.0"), "USDT", True, "0.00"),
        (0, "", False, "0.00"),
        (Decimal("0.001234"), "USDT", True, "+0.0012"),
        (Decimal("-0.000000000000000019"), "USDT", False, f"{MINUS}0.000000000000000019"),
        (Decimal("1e30"), "USDT", False, "1," + ",".join(["000"] * 10) + ".00"),
        (Decimal("0.01234567"), "BTC", False, "0.01234567"),
        (Decimal("1.50000000"), "BTC", True, "+1.5"),
        (2.675, "EUR", False, "2.68"),
        ("12.345", "USDT", False, "12.34"),
        (Decimal("Infinity"), "USDT", True, "+∞"),
    ],
)
def test_money(value, currency, signed, expected):
    assert money_text(value, currency=currency, signed=signed) == expected


@pytest.mark.parametrize(
    ("value", "signed", "expected"),
    [
        (Decimal("0.0312"), False, "3.12%"),
        (-0.25, True, f"{MINUS}25.00%"),
        (0.000001, True, "0.00%"),
        (12, True, "+1,200.00%"),
    ],
)
def test_percentages_are_given_as_fractions(value, signed, expected):
    assert percent_text(value, signed=signed) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.015000000000000000"), "0.015"),
        (Decimal(100), "100"),
        (Decimal(1000000), "1,000,000"),
        (Decimal("0.000000000000000001"), "0.000000000000000001"),
        (Decimal("-3.10"), f"{MINUS}3.1"),
        (Decimal("0E-18"), "0"),
    ],
)
def test_quantities_have_no_trailing_zeros(value, expected):
    assert quantity_text(value) == expected


@pytest.mark.parametrize(
    ("value", "tick", "expected"),
    [
        (Decimal("43120.5"), None, "43,120.50"),
        (Decimal("43120.5"), Decimal("0.10"), "43,120.5"),
        (Decimal(43120), Decimal("1.000"), "43,120"),
        (Decimal("1.23456"), None, "1.2346"),
        (Decimal("0.00001234"), None, "0.00001234"),
    ],
)
def test_prices_have_the_decimals_of_their_tick(value, tick, expected):
    assert price_text(value, tick=tick) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (timedelta(hours=2, minutes=5, seconds=59), "2 h 5 min"),
        (timedelta(days=3, minutes=4), "3 d"),
        (0, "0 s"),
        (0.25, "250 ms"),
        (61, "1 min 1 s"),
        (timedelta(seconds=-90), f"{MINUS}1 min 30 s"),
    ],
)
def test_durations_have_their_two_largest_units(value, expected):
    assert duration_text(value) == expected


@given(FINITE)
def test_money_that_is_not_zero_is_never_shown_as_zero(value):
    shown = money_text(value, currency="USDT")

    nothing = abs(value) < Decimal("5e-19")
    assert (direction_of(shown) == "flat") == (value == 0 or nothing) or nothing


@given(FINITE)
def test_a_number_shown_with_its_sign_reads_back_to_within_half_a_cent(value):
    shown = number_text(value, signed=True).replace(MINUS, "-").replace(",", "")

    assert abs(Decimal(shown) - value) <= Decimal("0.005")


def test_the_direction_is_that_of_what_is_shown():
    assert direction_of(percent_text(-0.000001, signed=True)) == "flat"
    assert direction_of(percent_text(-0.01, signed=True)) == "loss"
    assert direction_of(percent_text(0.01, signed=True)) == "gain"


def test_what_is_not_a_number_is_a_bug():
    with pytest.raises(ArithmeticError):
        number_text("twelve")
