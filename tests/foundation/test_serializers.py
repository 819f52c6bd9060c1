"""Input of the JSON API, taken exactly as it is meant."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from foundation.serializers import (
    DecimalField,
    InstantField,
    ObjectField,
    StrictSerializer,
    TextField,
)


class Sample(StrictSerializer):
    """One field of each kind."""

    name = TextField(max_length=5, required=False)
    amount = DecimalField(required=False)
    at = InstantField(required=False)
    more = ObjectField(required=False)


def accepted(**values):
    sample = Sample(data=values)
    sample.is_valid(raise_exception=True)
    return sample.validated_data


def codes(data):
    sample = Sample(data=data)
    with pytest.raises(ValidationError) as caught:
        sample.is_valid(raise_exception=True)
    details: Any = caught.value.get_full_details()  # of one of many shapes; ours is by field
    return {field: [problem["code"] for problem in found] for field, found in details.items()}


def test_good_values_come_through_as_what_they_are():
    assert accepted(name="ada", amount="0.10", at="2024-01-31T01:00:00+01:00", more={"a": [1]}) == {
        "name": "ada",
        "amount": Decimal("0.10"),
        "at": datetime(2024, 1, 31, tzinfo=UTC),
        "more": {"a": [1]},
    }


def test_all_problems_are_told_at_once():
    found = codes({"name": "too long", "amount": 0.1, "at": "today", "more": 1, "x": 1})

    assert found == {
        "name": ["max_length"],
        "amount": ["wrong_type"],
        "at": ["invalid_datetime"],
        "more": ["wrong_type"],
        "x": ["unknown_field"],
    }


@pytest.mark.parametrize("text", ["", "1,5", "1.", ".5", "+1", "0x10", "1_000", " 1", "1e3", "NaN"])
def test_only_plain_decimals_are_decimals(text):
    assert codes({"amount": text}) == {"amount": ["invalid_decimal"]}


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31",
        "2024-01-31T00:00:00",
        "2024-02-30T00:00:00Z",
        "2024-01-31 00:00:00Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_only_instants_with_a_zone_are_instants(text):
    assert codes({"at": text}) == {"at": ["invalid_datetime"]}


def test_null_has_a_code_of_its_own():
    assert codes({"name": None, "amount": None}) == {
        "name": ["null_not_allowed"],
        "amount": ["null_not_allowed"],
    }


def test_half_a_surrogate_pair_is_refused_wherever_it_stands():
    assert codes({"more": {"\ud800": 1}}) == {"": ["invalid_characters"]}
