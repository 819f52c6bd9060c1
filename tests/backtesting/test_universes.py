"""Runs over a declared universe: requested, computed, stored and shown."""

import io
import json
from decimal import Decimal

import numpy as np
import pytest
from django.core.management import call_command
from django.urls import reverse

from backtesting.domain.curves import ExposureCurve
from backtesting.domain.portfolio import PortfolioBacktest, basket_of, correlations
from backtesting.models import BacktestRun, RunStatus
from backtesting.selectors import specifications as stored
from backtesting.services import execution, runs, specifications, trials
from exchanges.models import Instrument
from foundation.audit import Actor
from market.enums import InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import HOUR_MS, Timeframe
from tests.backtesting.universes import SYMBOLS, UNIVERSE, make_universe, universe_wish, walk
from tests.factories import exchanges as exchange_factory
from tests.factories.accounts import make_person
from tests.factories.backtesting import NOW, make_done_run, make_market, wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def markets():
    return make_universe(InstrumentKind.LINEAR_SWAP)


@pytest.fixture
def person():
    return make_person()


def problems_of(**changes):
    with pytest.raises(InvalidInputError) as caught:
        specifications.specify(**universe_wish(**changes), now=NOW)
    return {problem.field: problem.code for problem in caught.value.problems}


def make_done(person, **changes):
    by = Actor.person(person.pk)
    run = runs.request_run(owner=person, by=by, now=NOW, **universe_wish(**changes))
    execution.execute_run(run_id=run.pk)
    run.refresh_from_db()
    return run


class TestRequest:
    def test_everything_about_every_market_is_kept(self, markets, person):
        by = Actor.person(person.pk)
        run = runs.request_run(owner=person, by=by, now=NOW, **universe_wish())

        assert run.symbols == SYMBOLS
        assert run.instrument.symbol == "ADA/USDT"
        assert run.markets == UNIVERSE
        assert run.universe[1]["tick_size"] == "0.010000000000000000"

    def test_the_order_of_names_makes_no_other_run(self, markets, person):
        one = specifications.specify(**universe_wish(), now=NOW)
        turned = f"binance: {' '.join(reversed(SYMBOLS))}"
        other = specifications.specify(**universe_wish(universe=turned), now=NOW)

        assert one.spec_hash() == other.spec_hash()

    @pytest.mark.parametrize(
        ("universe", "code"),
        [
            ("", "required"),
            ("BTC/USDT,ETH/USDT", "invalid_universe"),
            ("binance:BTC/USDT", "invalid_universe"),
            ("binance:BTC/USDT,BTC/USDT", "invalid_universe"),
            ("binance:BTC/USDT,DOGE/USDT", "unknown_symbol"),
            ("nowhere:BTC/USDT,ETH/USDT", "unknown_venue"),
        ],
    )
    def test_what_is_no_universe_is_refused(self, markets, universe, code):
        assert problems_of(universe=universe) == {"universe": code}

    def test_one_wallet_has_one_kind_of_market(self, markets):
        Instrument.objects.filter(symbol="BTC/USDT").update(kind=InstrumentKind.SPOT)

        assert problems_of() == {"universe": "mixed_universe"}

    def test_a_market_without_candles_is_refused(self, markets):
        exchange_factory.make_instrument(
            "XRP/USDT", venue=markets[0].venue, kind=InstrumentKind.LINEAR_SWAP
        )

        assert problems_of(universe=f"{UNIVERSE},XRP/USDT") == {"from": "no_candles"}

    def test_a_strategy_of_one_market_takes_no_universe(self):
        make_market()

        with pytest.raises(InvalidInputError) as caught:
            specifications.specify(**wish(universe=UNIVERSE), now=NOW)
        assert [each.code for each in caught.value.problems] == ["universe_not_used"]

    def test_a_capital_below_the_ladder_is_refused(self):
        make_market()

        with pytest.raises(InvalidInputError) as caught:
            specifications.specify(
                **wish(strategy_slug="dca-ladder", parameters={}, capital=Decimal(59)), now=NOW
            )
        assert [each.code for each in caught.value.problems] == ["below_least_capital"]


class TestRun:
    def test_the_whole_result_is_stored(self, markets, person):
        run = make_done(person)
        expected = trials.try_out(specifications.specify(**universe_wish(), now=NOW))

        assert run.status == RunStatus.DONE, run.error_message
        assert run.metrics == expected.metrics_json()
        assert run.data_fingerprint == expected.fingerprint()
        symbols = list(run.trades.order_by("number").values_list("symbol", flat=True))
        assert symbols == [trade.symbol for trade in expected.trades()]
        assert set(symbols) == set(SYMBOLS)
        told = run.metrics["universe"]
        assert [row["symbol"] for row in told["markets"]] == list(SYMBOLS)
        assert sum(row["pnl"] for row in told["markets"]) == pytest.approx(
            run.metrics["values"]["net_profit"]
        )
        exposure = ExposureCurve.from_bytes(bytes(run.exposure or b""))
        assert len(exposure) == run.bar_count
        assert exposure.positions.max() == told["most_positions"] <= 4

    def test_funding_is_paid_on_what_is_held_of_every_market_at_eight_hours(self, markets):
        specification = specifications.specify(**universe_wish(funding_bps=Decimal(20)), now=NOW)

        backtest = trials.try_out(specification)

        assert isinstance(backtest, PortfolioBacktest)
        view, result = backtest.stretch.view, backtest.result
        due = view.open_time % (8 * HOUR_MS) == 0
        paid = sum(
            float(np.sum(one.position[:-1] * opens[1:] * due[1:], where=~np.isnan(opens[1:])))
            * float(terms.lot_step)
            * 0.002
            for one, opens, terms in zip(
                result.of_market, view.open, specification.universe, strict=True
            )
        )
        assert paid != 0
        assert backtest.metrics.values["funding"] == pytest.approx(paid)
        assert sum(trade.funding for trade in backtest.trades()) == pytest.approx(
            Decimal(paid), rel=Decimal("1e-9")
        )
        assert sum(trade.pnl for trade in backtest.trades()) == pytest.approx(
            Decimal(result.final_equity - result.capital), rel=Decimal("1e-9")
        )

    def test_on_spot_no_funding_is_paid(self):
        make_universe()
        dear, free = (
            trials.try_out(
                specifications.specify(**universe_wish(funding_bps=Decimal(bps)), now=NOW)
            )
            for bps in (20, 0)
        )

        assert dear.metrics_json() == free.metrics_json()

    def test_what_a_bar_does_not_say_makes_an_interval(self, markets, person, client):
        """Stop and target within the reach of one bar."""
        parameters = {"top_n_symbols": 2, "stop_loss_percent": 0.4, "take_profit_percent": 0.4}
        run = make_done(person, parameters=parameters)
        client.force_login(person)

        told = client.get(reverse("backtesting-api:run", args=[run.public_id])).json()
        page = client.get(f"/backtests/{run.public_id}/").content.decode()

        worse = run.metrics["values"]["final_equity"]
        assert told["ambiguous_bars"] > 0
        assert told["optimistic"]["final_equity"] > worse
        assert told["optimistic"] == run.metrics["optimistic"]
        assert "the worse and the better order inside the bars" in page

    def test_candles_of_any_market_that_changed_after_the_request_fail_it(self, markets, person):
        by = Actor.person(person.pk)
        run = runs.request_run(owner=person, by=by, now=NOW, **universe_wish())
        changed = walk(9).slice(300, 301)
        exchange_factory.store_candles(markets[2], Timeframe.H1, changed)

        execution.execute_run(run_id=run.pk)

        run.refresh_from_db()
        assert run.error_code == "candles_changed"

    def test_the_command_prints_what_concerns_the_universe(self, markets):
        printed = io.StringIO()

        call_command(
            "backtest",
            *("top-movers-macd", "--universe", UNIVERSE, "--timeframe", "1h"),
            *("--from", "2024-01-01", "--to", "2024-01-26", "--param", "top_n_symbols=2"),
            stdout=printed,
        )

        assert "Universe, as declared" in printed.getvalue()
        assert "SOL/USDT" in printed.getvalue()
        assert not BacktestRun.objects.exists()


class TestShown:
    def test_the_api_takes_and_tells_it(self, markets, person, client):
        client.force_login(person)
        sent = {
            **universe_wish(),
            "from": "2024-01-01T00:00:00Z",
            "to": "2024-01-26T00:00:00Z",
            "strategy": "top-movers-macd",
        }
        for name in ("strategy_slug", "from_at", "to_at"):
            del sent[name]

        made = client.post(
            reverse("backtesting-api:runs"), json.dumps(sent), content_type="application/json"
        )

        assert made.status_code == 201, made.content
        assert made.json()["symbols"] == list(SYMBOLS)
        execution.execute_run(run_id=BacktestRun.objects.get().pk)
        told = client.get(made.headers["Location"]).json()
        assert told["universe"]["most_positions"] > 0
        trades = client.get(told["links"]["trades"]).json()["results"]
        assert {trade["symbol"] for trade in trades} <= set(SYMBOLS)

    def test_the_form_proposes_the_markets_that_are_alike(self, markets, person, client):
        client.force_login(person)

        page = client.get("/backtests/new/?strategy=top-movers-macd").content.decode()

        assert 'name="universe"' in page
        assert 'name="market"' not in page
        assert UNIVERSE in page

    def test_the_page_of_a_result_shows_markets_exposure_and_correlation(
        self, markets, person, client
    ):
        run = make_done(person)
        client.force_login(person)
        address = f"/backtests/{run.public_id}/"

        page = client.get(f"{address}?symbol=ETH%2FUSDT").content.decode()

        assert "4 markets" in page
        assert "The universe was declared: binance:ADA/USDT" in page
        assert "How markets moved together" in page
        assert "candles.json?symbol=ETH%2FUSDT" in page
        exposure = client.get(f"{address}exposure.json").json()["series"]
        assert [line["name"] for line in exposure] == ["Gross exposure", "Net exposure"]
        whole = client.get(f"{address}candles.json?symbol=ETH/USDT").json()
        delisted = client.get(f"{address}candles.json?symbol=SOL/USDT").json()
        assert len(whole["candles"]) == len(delisted["candles"]) + 100
        assert client.get(f"{address}trades.csv").status_code == 200
        assert client.get(f"{address}report.html").status_code == 200

    def test_a_run_of_one_market_has_no_exposure(self, person, client):
        make_market()
        run = make_done_run(person)
        client.force_login(person)

        assert client.get(f"/backtests/{run.public_id}/exposure.json").status_code == 404


class TestArithmetic:
    def test_the_basket_is_an_equal_part_of_each_market_that_is_there(self, markets):
        universe = stored.universe_of(specifications.specify(**universe_wish(), now=NOW))

        grown = basket_of(universe, 0)

        there = [1, 2, 3]
        firsts = universe.open[there, 0]
        assert grown[0] == pytest.approx((universe.close[there, 0] / firsts).mean())
        assert np.isfinite(grown).all()

    def test_correlation_is_pearsons_over_the_bars_that_both_have(self):
        random = np.random.default_rng(1)
        returns = random.normal(0, 0.01, (2, 200))
        close = np.asarray(100 * np.cumprod(1 + returns, axis=1), dtype=np.float64)
        close[1, :50] = np.nan

        found = correlations(close)

        made = close[:, 1:] / close[:, :-1] - 1
        both = made[:, 50:]
        assert found[0, 1] == pytest.approx(np.asarray(np.corrcoef(both))[0, 1])
        assert found[0, 0] == pytest.approx(1.0)
