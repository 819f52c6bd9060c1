"""Which markets fit a filter, and what is said about the others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.domain import universe
from exchanges.domain.universe import MarketFacts, UniverseFilter

BITCOIN = MarketFacts("BTC/USDT", "BTC", "USDT", 40_000.0, 1e9, 0.5, 3_000.0, 0.03)
MARKETS = [
    BITCOIN,
    replace(BITCOIN, symbol="JUP/USDT", base="JUP", price=0.5, quote_volume=1e6, spread_bps=20.0),
    replace(BITCOIN, symbol="NEW/USDT", base="NEW", quote_volume=5e6, age_days=3.0),
    replace(BITCOIN, symbol="BTCUP/USDT", base="BTCUP"),
    replace(BITCOIN, symbol="BTC3S/USDT", base="BTC3S"),
    replace(BITCOIN, symbol="USDC/USDT", base="USDC", volatility=0.0002),
    replace(BITCOIN, symbol="ADA/BTC", base="ADA", quote="BTC", quote_volume=200.0),
    MarketFacts("DEAD/USDT", "DEAD", "USDT"),
]


def chosen(**wanted) -> list[str]:
    return universe.choose(MARKETS, UniverseFilter(**wanted)).symbols


def test_without_a_wish_only_leveraged_tokens_and_stable_pairs_stay_out():
    found = universe.choose(MARKETS, UniverseFilter())

    assert found.symbols == ["BTC/USDT", "NEW/USDT", "JUP/USDT", "ADA/BTC", "DEAD/USDT"]
    assert found.refused == {
        "BTCUP/USDT": "leveraged token",
        "BTC3S/USDT": "leveraged token",
        "USDC/USDT": "pair of stable currencies",
    }


def test_they_stay_in_where_they_are_asked_for():
    assert {"BTCUP/USDT", "BTC3S/USDT"} <= set(chosen(with_leveraged=True))
    assert "USDC/USDT" in chosen(with_stable=True)


@pytest.mark.parametrize(
    ("wanted", "out"),
    [
        ({"quote": "USDT"}, {"ADA/BTC"}),
        ({"minimum_volume": 2e6}, {"JUP/USDT", "ADA/BTC", "DEAD/USDT"}),
        ({"minimum_age_days": 30.0}, {"NEW/USDT", "DEAD/USDT"}),
        ({"minimum_price": 1.0}, {"JUP/USDT", "DEAD/USDT"}),
        ({"maximum_price": 1_000.0}, {"BTC/USDT", "NEW/USDT", "ADA/BTC", "DEAD/USDT"}),
        ({"maximum_spread_bps": 10.0}, {"JUP/USDT", "DEAD/USDT"}),
        ({"minimum_volatility": 0.02}, {"DEAD/USDT"}),
        (
            {"maximum_volatility": 0.02},
            {"BTC/USDT", "NEW/USDT", "JUP/USDT", "ADA/BTC", "DEAD/USDT"},
        ),
        ({"without": frozenset({"BTC/USDT"})}, {"BTC/USDT"}),
        ({"only": frozenset({"BTC/USDT"})}, {"NEW/USDT", "JUP/USDT", "ADA/BTC", "DEAD/USDT"}),
    ],
)
def test_every_filter_leaves_out_what_does_not_fit(wanted, out):
    assert set(chosen()) - set(chosen(**wanted)) == out


def test_the_black_list_wins():
    both = frozenset({"BTC/USDT"})

    assert chosen(only=both, without=both) == []


def test_what_is_not_known_does_not_fit_and_says_so():
    refused = universe.choose(MARKETS, UniverseFilter(minimum_volume=1.0)).refused

    assert refused["DEAD/USDT"] == "volume is not known"


def test_the_largest_come_first_and_alone_where_few_are_asked_for():
    assert chosen(most=2) == ["BTC/USDT", "NEW/USDT"]


@pytest.mark.parametrize(
    ("base", "is_one"),
    [("BTCUP", True), ("BTC3L", True), ("JUP", False), ("SYRUP", False), ("BTC", False)],
)
def test_a_leveraged_token_is_one_of_something_that_trades(base, is_one):
    assert universe.is_leveraged_token(base, bases={"BTC", base}) is is_one


def test_the_spread_is_relative_to_the_middle():
    assert universe.spread_bps(99.0, 101.0) == pytest.approx(200.0)
    assert universe.spread_bps(101.0, 99.0) is None
    assert universe.spread_bps(0.0, 99.0) is None


@given(
    volumes=st.lists(st.floats(0, 1e12), min_size=1, max_size=20),
    least=st.floats(0, 1e12),
    most=st.integers(1, 10),
)
def test_every_market_is_either_chosen_or_explained(volumes, least, most):
    markets = [
        MarketFacts(f"C{n}/USDT", f"C{n}", "USDT", quote_volume=volume)
        for n, volume in enumerate(volumes)
    ]

    found = universe.choose(markets, UniverseFilter(minimum_volume=least, most=most))

    assert sorted([*found.symbols, *found.refused]) == sorted(each.symbol for each in markets)
    assert len(found.symbols) == min(most, sum(volume >= least for volume in volumes))
    kept = [each.quote_volume or 0.0 for each in found.markets]
    assert kept == sorted(kept, reverse=True)
