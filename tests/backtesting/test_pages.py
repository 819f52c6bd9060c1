"""The pages of backtests, as they are without JavaScript."""

from decimal import Decimal

import pytest

from backtesting.explanations import EXPLANATIONS
from backtesting.metrics import CATALOGUE
from backtesting.models import BacktestRun, RunStatus
from backtesting.services import history
from exchanges.models import HistoryFetch, Venue
from foundation.audit import Actor
from market.timeframes import Timeframe
from strategies.definitions import opening_range
from tests.factories import exchanges
from tests.factories.accounts import make_person
from tests.factories.backtesting import make_done_run, make_market, make_run

pytestmark = pytest.mark.django_db

FORM = {
    "market": "binance:BTC/USDT",
    "timeframe": "1h",
    "from": "2024-01-01T00:00",
    "to": "2024-01-26T00:00",
    "capital": "10000",
    "fee_bps": "",
    "slippage_bps": "5",
    "parameters.short_ema_period": "5",
    "parameters.long_ema_period": "20",
    "parameters.risk_per_trade_percent": "1.0",
    "parameters.stop_loss_percent": "2.0",
    "parameters.take_profit_percent": "4.0",
    "parameters.direction": "BOTH",
    "parameters.leverage": "1",
    "parameters.max_trades_per_day": "0",
    "parameters.cooldown_bars": "0",
}
BY = Actor.system("test")
NEW = "/backtests/new/?strategy=ema-crossover"


@pytest.fixture
def person():
    return make_person()


@pytest.fixture
def page(client, person):
    client.force_login(person)
    return client


def text(answer) -> str:
    assert answer.status_code == 200, answer
    return " ".join(answer.content.decode().split())


class TestList:
    def test_an_empty_list_offers_the_first_backtest(self, page):
        assert "No backtests yet" in text(page.get("/backtests/"))

    def test_runs_are_shown_with_their_results(self, page, person):
        make_market()
        run = make_done_run(person)

        shown = text(page.get("/backtests/"))

        assert f"/backtests/{run.public_id}/" in shown
        assert "EMA crossover" in shown
        assert "BTC/USDT · 1h" in shown

    @pytest.mark.parametrize("rows", [1, 8])
    def test_it_takes_the_same_queries_however_long(
        self, page, person, rows, django_assert_num_queries
    ):
        make_market()
        for period in range(2, 2 + rows):
            make_run(person, parameters={"short_ema_period": period})

        # The session, the person, the choices (markets, tags), the number of runs, the runs; the site's
        # settings, what is unread.
        with django_assert_num_queries(10):
            page.get("/backtests/")


class TestHistory:
    def test_runs_are_found_again_by_what_they_are(self, page, person):
        make_market()
        run, other = make_done_run(person), make_run(person, capital=Decimal(2_000))
        history.annotate_run(run_id=run.pk, tags=["trend"], by=BY)

        for query in ("tag=trend", "status=DONE", "market=binance:BTC/USDT&status=DONE"):
            shown = text(page.get(f"/backtests/?{query}"))
            assert str(run.public_id) in shown
            assert str(other.public_id) not in shown

    def test_nothing_that_fits_is_said(self, page, person):
        make_market()
        make_run(person)

        assert "Nothing fits" in text(page.get("/backtests/?status=FAILED"))

    def test_a_value_that_is_no_choice_narrows_nothing_down(self, page, person):
        make_market()
        run = make_run(person)

        assert str(run.public_id) in text(page.get("/backtests/?tag=gone&status=GONE"))

    def test_only_finished_runs_can_be_chosen_for_comparison(self, page, person):
        make_market()
        run, waiting = make_done_run(person), make_run(person, capital=Decimal(2_000))

        shown = text(page.get("/backtests/"))

        assert f'name="run" value="{run.public_id}"' in shown
        assert f'name="run" value="{waiting.public_id}"' not in shown


class TestCompare:
    def address(self, *runs):
        return "/backtests/compare/?" + "&".join(f"run={run.public_id}" for run in runs)

    def test_runs_stand_side_by_side(self, page, person):
        make_market()
        runs = [
            make_done_run(person, parameters={"short_ema_period": period}) for period in (3, 5, 8)
        ]

        shown = text(page.get(self.address(*runs)))

        assert "data-best" in shown
        assert "data-differs" in shown
        assert "compared-curves" in shown
        for info in CATALOGUE:
            assert info.label in shown

    def test_too_few_lead_back_to_the_list(self, page, person):
        make_market()

        answer = page.get(self.address(make_done_run(person)), follow=True)

        assert "from 2 to 5" in text(answer)
        assert answer.redirect_chain[-1][0] == "/backtests/"

    def test_a_run_without_a_result_leads_back_as_well(self, page, person):
        make_market()
        runs = make_done_run(person), make_run(person, capital=Decimal(2_000))

        assert "has no result" in text(page.get(self.address(*runs), follow=True))

    def test_what_is_not_ones_own_is_not_found(self, page, person):
        make_market()
        mine, theirs = make_done_run(person), make_done_run(make_person("bea@example.com"))

        assert page.get(self.address(mine, theirs)).status_code == 404
        assert page.get(f"{self.address(mine)}&run=7").status_code == 404


class TestForm:
    def test_without_candles_it_says_how_to_get_some(self, page):
        assert "no strategies yet" in text(page.get("/backtests/new/"))

    def test_it_proposes_all_of_the_stored_candles(self, page):
        make_market()

        shown = text(page.get(NEW))

        assert 'value="2024-01-01T00:00"' in shown
        assert 'value="2024-01-26T00:00"' in shown
        assert 'name="parameters.short_ema_period" value="10"' in shown

    def test_parameters_stand_in_the_order_of_the_strategy(self, page):
        make_market()

        shown = text(page.get(NEW))

        assert shown.index("short_ema_period") < shown.index("long_ema_period")
        assert shown.index("long_ema_period") < shown.index("risk_per_trade_percent")

    def test_an_unknown_strategy_is_not_found(self, page):
        make_market()

        assert page.get("/backtests/new/?strategy=gone").status_code == 404

    def test_a_valid_form_leads_to_the_run(self, page, person):
        make_market()

        answer = page.post(NEW, FORM)

        run = BacktestRun.objects.get(owner=person)
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"/backtests/{run.public_id}/"
        assert run.parameters["short_ema_period"] == 5

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"parameters.short_ema_period": "1"}, "must be at least 2"),
            ({"parameters.short_ema_period": "20"}, "must be shorter than"),
            ({"parameters.short_ema_period": "x"}, "valid integer"),
            ({"parameters.short_ema_period": ""}, "required"),
            ({"capital": "-1"}, "must be more than 0"),
            ({"capital": "a lot"}, "Enter a number"),
            ({"slippage_bps": "2000"}, "must be from 0 to 1,000"),
            ({"to": "2023-01-01T00:00"}, "must begin before it ends"),
            ({"to": "2924-01-01T00:00"}, "must end by now"),
            ({"from": "soon"}, "Enter a valid date/time"),
            ({"from": "2024-01-25T23:30"}, "no whole one in this window"),
            ({"market": "binance:DOGE/USDT"}, "Select a valid choice"),
        ],
    )
    def test_an_error_stands_beside_its_field_and_entries_are_kept(self, page, change, message):
        make_market()

        shown = text(page.post(NEW, FORM | {"capital": "4321"} | change))

        assert message in shown
        (field,) = change
        assert f'id="id_{field}_error"' in shown
        if field != "capital":
            assert 'value="4321"' in shown
        assert not BacktestRun.objects.exists()

    def test_a_window_that_the_warm_up_uses_up_says_what_to_choose(self, page):
        make_market()

        shown = text(page.post(NEW, FORM | {"to": "2024-01-02T00:00"}))

        assert "Choose a longer or later window" in shown

    def test_a_run_can_be_changed_and_run_again(self, page, person):
        make_market()
        run = make_done_run(person)

        shown = text(page.get(f"{NEW}&copy={run.public_id}"))

        assert 'name="parameters.short_ema_period" value="5"' in shown
        assert 'name="capital" value="10000"' in shown

    def test_somebody_elses_run_cannot_be_copied(self, page):
        make_market()
        run = make_run(make_person("bea@example.com"))

        assert page.get(f"{NEW}&copy={run.public_id}").status_code == 404
        assert page.get(f"{NEW}&copy=7").status_code == 404


class TestRun:
    def test_a_result_is_there_without_javascript(self, page, person):
        make_market()
        run = make_done_run(person)

        shown = text(page.get(f"/backtests/{run.public_id}/"))

        for words in ("Monthly returns", "By exit reason", "Long and short", "How far trades went"):
            assert words in shown
        for info in CATALOGUE:
            assert info.label in shown
        assert run.data_fingerprint in shown
        assert "bars before that are warm-up" in shown
        assert "cannot be sold short" in shown

    def test_trades_come_in_pages(self, page, person, monkeypatch):
        monkeypatch.setattr("backtesting.web.views._TRADES_A_PAGE", 3)
        make_market()
        run = make_done_run(person)

        assert "Page" in text(page.get(f"/backtests/{run.public_id}/?page=2"))

    def test_a_failed_run_says_why(self, page, person):
        make_market()
        run = make_run(person)
        run.status, run.error_message = RunStatus.FAILED, "It took too long."
        run.save()

        assert "It took too long." in text(page.get(f"/backtests/{run.public_id}/"))

    def test_a_waiting_run_asks_again_by_itself(self, page, person):
        make_market()
        run = make_run(person)

        shown = text(page.get(f"/backtests/{run.public_id}/"))

        assert f'hx-get="/backtests/{run.public_id}/?version={run.version}"' in shown
        assert "Cancel" in shown

    def test_a_fragment_is_sent_only_when_something_changed(self, page, person):
        make_market()
        run = make_run(person)
        address = f"/backtests/{run.public_id}/?version={run.version}"
        htmx = {"HX-Request": "true"}

        assert page.get(address, headers=htmx).status_code == 204

        BacktestRun.objects.filter(pk=run.pk).update(version=9, progress=40)
        shown = text(page.get(address, headers=htmx))
        assert "<html" not in shown
        assert 'value="40"' in shown

    def test_the_page_is_loaded_anew_when_the_run_is_over(self, page, person):
        make_market()
        run = make_done_run(person)

        answer = page.get(f"/backtests/{run.public_id}/", headers={"HX-Request": "true"})

        assert answer.headers["HX-Refresh"] == "true"

    def test_a_waiting_run_is_canceled_by_a_button(self, page, person):
        make_market()
        run = make_run(person)

        answer = page.post(f"/backtests/{run.public_id}/cancel/", follow=True)

        assert "was canceled" in text(answer)

    def test_canceling_a_finished_run_says_that_it_is_over(self, page, person):
        make_market()
        run = make_done_run(person)

        assert "is over already" in text(
            page.post(f"/backtests/{run.public_id}/cancel/", follow=True)
        )

    @pytest.mark.parametrize("part", ["equity.json", "drawdown.json", "candles.json"])
    def test_charts_have_their_numbers(self, page, person, part):
        make_market()
        run = make_done_run(person)

        answer = page.get(f"/backtests/{run.public_id}/{part}").json()

        assert answer.get("candles") or answer["series"][0]["points"]

    @pytest.mark.parametrize(
        "part",
        ["equity.json", "candles.json", "trades.csv", "equity.csv", "run.json", "report.html"],
    )
    def test_there_are_none_before_the_result(self, page, person, part):
        make_market()

        assert page.get(f"/backtests/{make_run(person).public_id}/{part}").status_code == 404

    def test_it_takes_the_same_queries_however_many_trades(
        self, page, person, django_assert_num_queries
    ):
        make_market()
        run = make_done_run(person)

        # The session, the person, the run, the number of trades, the trades, how far they went; the site's
        # settings, what is unread.
        with django_assert_num_queries(9):
            page.get(f"/backtests/{run.public_id}/")


class TestAnnotation:
    def test_tags_and_a_note_are_kept(self, page, person):
        make_market()
        run = make_done_run(person)
        address = f"/backtests/{run.public_id}/annotate/"

        answer = page.post(address, {"tags": "Trend, low risk,", "notes": "<b>Look</b>"})
        shown = text(page.get(answer.headers["Location"]))

        assert "trend" in shown
        assert "?tag=low%20risk" in shown
        assert "&lt;b&gt;Look&lt;/b&gt;" in shown

    def test_a_refusal_stands_beside_its_field(self, page, person):
        make_market()
        run = make_run(person)

        shown = text(page.post(f"/backtests/{run.public_id}/annotate/", {"tags": "x" * 31}))

        assert "from 1 to 30 characters" in shown
        assert 'id="id_tags_error"' in shown


class TestDelete:
    def test_a_finished_run_goes(self, page, person):
        make_market()
        run = make_done_run(person)

        shown = text(page.post(f"/backtests/{run.public_id}/delete/", follow=True))

        assert "was deleted" in shown
        assert "No backtests yet" in shown

    def test_an_unfinished_one_stays(self, page, person):
        make_market()
        run = make_run(person)

        shown = text(page.post(f"/backtests/{run.public_id}/delete/", follow=True))

        assert "Cancel it first" in shown


class TestInterval:
    def test_what_the_bars_leave_open_is_shown_as_an_interval(self, page, person):
        make_market()
        run = make_done_run(person)
        run.metrics |= {
            "optimistic": {"total_return": 0.5, "final_equity": 15_000.0},
            "ambiguous_bars": 7,
        }
        run.save()

        shown = text(page.get(f"/backtests/{run.public_id}/"))

        assert "+50.00%" in shown
        assert "In 7 bars the order of events is unknown" in shown

    def test_without_a_better_figure_only_the_bars_are_told(self, page, person):
        make_market()
        run = make_done_run(person)
        run.metrics["ambiguous_bars"] = 1
        run.save()

        shown = text(page.get(f"/backtests/{run.public_id}/"))

        assert "In 1 bar the order of events is unknown. All figures take the worse one." in shown

    def test_a_result_of_before_the_newest_figures_is_still_shown(self, page, person):
        make_market()
        run = make_done_run(person)
        del run.metrics["values"]["correlation"], run.metrics["by_direction"]
        run.save()

        shown = text(page.get(f"/backtests/{run.public_id}/"))

        assert "Correlation with" not in shown
        assert "Long and short" not in shown


def test_every_metric_is_explained():
    assert set(EXPLANATIONS) == {info.key for info in CATALOGUE}


class TestBarsThatSuit:
    """Strategies that can run on some bars only."""

    ADDRESS = "/backtests/new/?strategy=opening-range"

    def test_the_form_begins_with_bars_that_the_strategy_can_run_on(self, page):
        instrument = make_market()
        quarters = exchanges.make_candles([100.0] * 400, timeframe=Timeframe.M15)
        exchanges.store_candles(instrument, Timeframe.M15, quarters)

        sessions = page.get(self.ADDRESS).context["form"]
        averages = page.get(NEW).context["form"]

        assert sessions["timeframe"].value() == "15m"
        assert averages["timeframe"].value() == "1h"

    def test_other_bars_are_refused_at_their_field_in_a_sentence(self, page):
        make_market()
        fields = {
            f"parameters.{name}": str(value)
            for name, value in opening_range.Params().model_dump().items()
        }
        wanted = {name: value for name, value in FORM.items() if not name.startswith("parameters.")}

        answer = page.post(self.ADDRESS, {**wanted, **fields})

        errors = answer.context["form"].errors
        assert list(errors) == ["timeframe"]
        assert "begins at 13:30 UTC" in " ".join(errors["timeframe"])
        assert not BacktestRun.objects.exists()


class TestMissingCandles:
    """The form has fetched what is not stored, and a shorter window is said."""

    def post(self, page, **more):
        return page.post(NEW, FORM | more, follow=True)

    def test_what_is_missing_is_fetched_with_its_warm_up(self, page, person):
        market = make_market()

        answer = self.post(page, fetch="1", to="2024-06-01T00:00")

        fetch = HistoryFetch.objects.get()
        assert (fetch.instrument, fetch.timeframe) == (market, "1h")
        assert fetch.requested_by == person
        assert f"{fetch.from_at:%Y-%m}" == "2023-12"
        assert f"{fetch.to_at:%Y-%m-%d}" == "2024-06-01"
        assert "of what is missing is there" in text(answer)
        assert BacktestRun.objects.count() == 0

    def test_the_run_begins_at_once_where_all_is_stored(self, page):
        make_market()

        self.post(page, fetch="1", **{"from": "2024-01-10T00:00", "to": "2024-01-15T00:00"})

        assert HistoryFetch.objects.count() == 0
        assert BacktestRun.objects.count() == 1

    def test_an_exchange_that_gives_none_leaves_the_shorter_window(self, page):
        market = make_market()
        Venue.objects.filter(pk=market.venue_id).update(ccxt_id="")

        answer = self.post(page, fetch="1", to="2024-06-01T00:00")

        assert "Candles are stored from" in text(answer)
        assert HistoryFetch.objects.count() == 0

    def test_a_run_on_less_than_was_asked_for_says_so(self, page):
        make_market()

        answer = self.post(page, to="2024-06-01T00:00")

        assert "Candles are stored from" in text(answer)
        assert BacktestRun.objects.count() == 1
