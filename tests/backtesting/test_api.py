"""The JSON API of backtests."""

from decimal import Decimal
from uuid import uuid4

import pytest

from backtesting import reports
from backtesting.domain import lines
from backtesting.models import RunStatus
from tests.factories.accounts import make_person
from tests.factories.backtesting import END_AT, FIRST_AT, make_done_run, make_market, make_run

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/backtests"
REQUEST = {
    "strategy": "ema-crossover",
    "market": "binance:BTC/USDT",
    "timeframe": "1h",
    "from": FIRST_AT.isoformat(),
    "to": END_AT.isoformat().replace("+00:00", "Z"),
    "parameters": {"short_ema_period": 5},
    "capital": "10000",
}


@pytest.fixture
def person():
    return make_person()


@pytest.fixture
def api(client, person):
    make_market()
    client.force_login(person)
    return client


def post(api, body, path=RUNS):
    return api.post(path, body, content_type="application/json")


def codes_of(answer) -> dict[str, str]:
    assert answer.status_code == 400, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    return {problem["field"]: problem["code"] for problem in answer.json()["errors"]}


class TestRequest:
    def test_a_new_run_is_created_and_has_an_address(self, api):
        answer = post(api, REQUEST)

        assert answer.status_code == 201
        assert answer.headers["Location"] == f"{RUNS}/{answer.json()['id']}"
        assert answer.json()["status"] == "QUEUED"
        assert answer.json()["metrics"] is None

    def test_the_same_again_is_not_created(self, api):
        first = post(api, REQUEST)
        second = post(api, {**REQUEST, "capital": 10_000})

        assert second.status_code == 200
        assert second.json()["id"] == first.json()["id"]

    def test_decimals_are_text(self, api):
        answer = post(api, {**REQUEST, "capital": "1234.50", "fee_bps": "7.5"}).json()

        assert answer["capital"] == "1234.5"
        assert answer["maker_fee_bps"] == answer["taker_fee_bps"] == "7.5"
        assert answer["slippage_bps"] == "5"

    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            ({"tenant": "x"}, "tenant", "unknown_field"),
            ({"strategy": None}, "strategy", "null_not_allowed"),
            ({"strategy": ""}, "strategy", "blank"),
            ({"strategy": 5}, "strategy", "wrong_type"),
            ({"market": "binance:BTC/\x00USDT"}, "market", "null_characters_not_allowed"),
            ({"capital": True}, "capital", "wrong_type"),
            ({"capital": 0.5}, "capital", "wrong_type"),
            ({"capital": "1,5"}, "capital", "invalid_decimal"),
            ({"capital": "１２"}, "capital", "invalid_decimal"),  # noqa: RUF001 (full-width on purpose)
            ({"capital": " 1 "}, "capital", "invalid_decimal"),
            ({"capital": "1e400"}, "capital", "invalid_decimal"),
            ({"capital": "0"}, "capital", "out_of_range"),
            ({"from": "2024-01-01"}, "from", "invalid_datetime"),
            ({"from": "2024-02-30T00:00:00Z"}, "from", "invalid_datetime"),
            ({"from": "2024-01-01T00:00:00"}, "from", "invalid_datetime"),
            ({"to": "9999-01-01T00:00:00Z"}, "to", "in_future"),
            ({"parameters": []}, "parameters", "wrong_type"),
            ({"parameters": {"fast": 1}}, "parameters.fast", "unknown_field"),
            ({"market": "binance:BTC/USDX"}, "market", "unknown_symbol"),
            ({"timeframe": "4h"}, "from", "no_candles"),
        ],
    )
    def test_bad_input_has_a_code_at_its_field(self, api, change, field, code):
        assert codes_of(post(api, REQUEST | change)) == {field: code}

    def test_missing_fields_are_named_together(self, api):
        assert codes_of(post(api, {})) == dict.fromkeys(
            ("strategy", "market", "timeframe", "from", "to"), "required"
        )

    def test_a_strategy_of_one_market_needs_it(self, api):
        request = {name: value for name, value in REQUEST.items() if name != "market"}

        assert codes_of(post(api, request)) == {"market": "required"}

    def test_half_a_character_is_refused(self, api):
        answer = post(api, '{"strategy": "\\ud800"}')

        assert answer.status_code == 400
        assert "invalid_characters" in answer.content.decode()

    def test_nan_is_refused(self, api):
        answer = post(api, '{"capital": NaN}')

        assert answer.status_code == 400
        assert answer.json()["code"] == "not_a_finite_number"


class TestRead:
    def test_a_finished_run_has_its_metrics(self, api, person):
        run = make_done_run(person)

        answer = api.get(f"{RUNS}/{run.public_id}").json()

        assert answer["status"] == "DONE"
        assert answer["metrics"]["trades"] == run.trades.count()
        assert answer["effective_from"] == "2024-01-05T04:00:00Z"
        assert answer["error"] is None

    def test_a_failed_run_says_why(self, api, person):
        run = make_run(person)
        run.status, run.error_code, run.error_message = RunStatus.FAILED, "time_limit", "Too long."
        run.save()

        answer = api.get(f"{RUNS}/{run.public_id}").json()

        assert answer["error"] == {"code": "time_limit", "message": "Too long."}

    @pytest.mark.parametrize("part", ["", "/trades", "/series", "/candles", "/trades.csv"])
    def test_somebody_elses_run_is_not_found(self, api, part):
        run = make_done_run(make_person("bea@example.com"))

        answers = [api.get(f"{RUNS}/{each}{part}") for each in (run.public_id, uuid4())]

        assert [answer.status_code for answer in answers] == [404, 404]
        details = [{**answer.json(), "request_id": ""} for answer in answers]
        assert details[0] == details[1]

    @pytest.mark.parametrize("part", ["trades", "series", "candles", "trades.csv"])
    def test_a_run_without_a_result_has_nothing_to_show(self, api, person, part):
        answer = api.get(f"{RUNS}/{make_run(person).public_id}/{part}")

        assert answer.status_code == 409
        assert answer.json()["code"] == "invalid_state"

    def test_series_are_thinned_and_keep_their_extremes(self, api, person):
        run = make_done_run(person)

        series = reports.equity_series(run, limit=50)["series"]
        whole = api.get(f"{RUNS}/{run.public_id}/series").json()["series"]

        assert [line["kind"] for line in whole] == ["equity", "benchmark", "drawdown"]
        for thin, full in zip(series, whole, strict=True):
            values = [point["value"] for point in full["points"]]
            kept = [point["value"] for point in thin["points"]]
            assert len(values) == run.bar_count
            assert len(kept) <= 50
            assert (min(kept), max(kept)) == (min(values), max(values))
        assert whole[0]["points"][-1]["value"] == run.metrics["values"]["final_equity"]

    def test_candles_come_with_trades_and_lines(self, api, person):
        run = make_done_run(person)

        chart = api.get(f"{RUNS}/{run.public_id}/candles").json()

        times = [candle["time"] for candle in chart["candles"]]
        assert len(times) == 600
        assert times == sorted(times)
        assert chart["bars_per_candle"] == 1
        assert [line["name"] for line in chart["lines"]] == ["EMA 5", "EMA 20"]
        assert {marker["time"] for marker in chart["markers"]} <= set(times)
        entries = [marker for marker in chart["markers"] if marker["side"] == "BUY"]
        assert len(entries) == run.trades.count()

    def test_many_bars_are_joined_without_losing_highs_and_lows(self, api, person, monkeypatch):
        full = reports.candle_chart(make_done_run(person))
        monkeypatch.setattr(lines, "MAXIMUM_CANDLES", 100)
        joined = reports.candle_chart(make_done_run(person, capital=Decimal(9_000)))

        assert [line["name"] for line in joined["lines"]] == ["EMA 5", "EMA 20"]
        ends = {point["time"]: point["value"] for point in joined["lines"][1]["points"]}
        every = {point["time"]: point["value"] for point in full["lines"][1]["points"]}
        last = full["candles"][-1]["time"]
        assert ends[joined["candles"][-1]["time"]] == every[last]
        assert joined["bars_per_candle"] == 6
        assert len(joined["candles"]) == 100
        assert max(each["high"] for each in joined["candles"]) == max(
            each["high"] for each in full["candles"]
        )
        assert joined["candles"][-1]["close"] == full["candles"][-1]["close"]
        assert joined["candles"][0]["open"] == full["candles"][0]["open"]

    def test_csv_has_a_line_for_each_trade(self, api, person):
        run = make_done_run(person)

        answer = api.get(f"{RUNS}/{run.public_id}/trades.csv")
        lines = b"".join(answer.streaming_content).decode().splitlines()

        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "ema-crossover-BTC-USDT-1h-" in answer.headers["Content-Disposition"]
        assert len(lines) == run.trades.count() + 1
        assert lines[0].startswith("number,direction,entry_at")

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
    def test_csv_never_holds_a_formula(self, text):
        assert reports._harmless(text) == f"'{text}"


class TestLists:
    def test_runs_are_listed_newest_first_by_cursor(self, api, person):
        made = [make_run(person, parameters={"short_ema_period": period}) for period in range(2, 7)]
        make_run(make_person("bea@example.com"))

        seen, address = [], f"{RUNS}?limit=2"
        while address:
            answer = api.get(address).json()
            seen += [run["id"] for run in answer["results"]]
            address = answer["next"]

        assert seen == [str(run.public_id) for run in reversed(made)]

    def test_trades_are_listed_in_order_by_cursor(self, api, person):
        run = make_done_run(person)

        seen, address = [], f"{RUNS}/{run.public_id}/trades?limit=3"
        while address:
            answer = api.get(address).json()
            seen += [trade["number"] for trade in answer["results"]]
            address = answer["next"]

        assert seen == list(range(1, run.trades.count() + 1))

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=-1", "limit=100000", "limit=x", "page=2", "after=7", "status=GONE"],
    )
    def test_an_unknown_or_impossible_parameter_is_refused(self, api, query):
        answer = api.get(f"{RUNS}?{query}")

        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid_parameter"

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("status=DONE", 1),
            ("status=QUEUED", 2),
            ("strategy=ema-crossover", 3),
            ("strategy=other", 0),
        ],
    )
    def test_runs_are_filtered(self, api, person, query, count):
        make_done_run(person)
        for period in (3, 4):
            make_run(person, parameters={"short_ema_period": period})

        assert len(api.get(f"{RUNS}?{query}").json()["results"]) == count

    @pytest.mark.parametrize("rows", [1, 8])
    def test_the_list_takes_the_same_queries_however_long(
        self, api, person, rows, django_assert_num_queries
    ):
        for period in range(2, 2 + rows):
            make_run(person, parameters={"short_ema_period": period})

        # The session, the person, the runs.
        with django_assert_num_queries(3):
            api.get(RUNS)


class TestCancel:
    def test_a_waiting_run_is_canceled(self, api, person):
        answer = post(api, {}, f"{RUNS}/{make_run(person).public_id}/cancel")

        assert answer.status_code == 202
        assert answer.json()["status"] == "CANCELED"

    def test_a_finished_run_cannot_be(self, api, person):
        answer = post(api, {}, f"{RUNS}/{make_done_run(person).public_id}/cancel")

        assert answer.status_code == 409
        assert answer.json()["code"] == "invalid_state"
