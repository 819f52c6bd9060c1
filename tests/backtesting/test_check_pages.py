"""The pages and the API of checks."""

import json

import pytest

from backtesting.models import RunStatus, StrategyCheck
from exchanges.models import CandleChunk, CandleTail
from tests.factories.accounts import make_operator, make_person
from tests.factories.backtesting import make_market
from tests.factories.billing import with_plan
from tests.factories.checks import make_caught_check, make_check, make_done_check

pytestmark = pytest.mark.django_db

PAGE = "/checks/ema-crossover/"
FORM = {
    "market": "binance:BTC/USDT",
    "timeframe": "1h",
    "from": "2024-01-01T00:00",
    "to": "2024-01-26T00:00",
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


@pytest.fixture
def person():
    return with_plan(make_person())


@pytest.fixture
def page(client, person):
    make_market()
    client.force_login(person)
    return client


def text(answer) -> str:
    assert answer.status_code == 200, answer
    return " ".join(answer.content.decode().split())


class TestStrategyPage:
    def test_it_is_linked_from_the_catalogue_entry(self, page):
        assert f'href="{PAGE}"' in text(page.get("/strategies/ema-crossover/"))

    def test_without_a_published_check_it_says_so_and_offers_one(self, page):
        shown = text(page.get(PAGE))

        assert "Not checked for everybody yet" in shown
        assert 'value="2024-01-01T00:00"' in shown
        assert "is_published" not in shown

    def test_without_candles_it_says_how_to_get_some(self, page):
        CandleChunk.objects.all().delete()
        CandleTail.objects.all().delete()

        assert "There are no candles yet" in text(page.get(PAGE))

    def test_an_unknown_strategy_is_not_found(self, page):
        assert page.get("/checks/gone/").status_code == 404

    def test_a_published_check_is_shown_with_when_and_on_what_data(self, page):
        operator = with_plan(make_person("op@example.com"))
        check = make_done_check(operator, is_published=True)

        shown = text(page.get(PAGE))

        assert check.data_fingerprint in shown
        assert "binance:BTC/USDT, 1h" in shown
        for words in ("No look ahead", "Warm-up long enough", "Cost stress", "2 x", "Stop loss"):
            assert words in shown
        assert page.get(f"/checks/results/{check.public_id}/").status_code == 404

    def test_a_valid_form_leads_to_the_check(self, page, person):
        answer = page.post(PAGE, FORM)

        check = StrategyCheck.objects.get(owner=person)
        assert answer.headers["Location"] == f"/checks/results/{check.public_id}/"
        assert (check.parameters["short_ema_period"], check.is_published) == (5, False)
        assert str(check.public_id) in text(page.get(PAGE))

    def test_nobody_but_an_operator_publishes(self, page, client):
        page.post(PAGE, FORM | {"is_published": "on"})
        assert not StrategyCheck.objects.get().is_published

        client.force_login(make_operator())
        assert "is_published" in text(client.get(PAGE))
        client.post(PAGE, FORM | {"is_published": "on"})
        assert StrategyCheck.objects.filter(is_published=True).count() == 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"parameters.short_ema_period": "1"}, "must be at least 2"),
            ({"parameters.short_ema_period": "x"}, "valid integer"),
            ({"to": "2023-01-01T00:00"}, "must begin before it ends"),
            ({"from": "2024-01-24T00:00"}, "more than 101 are needed behind it"),
        ],
    )
    def test_an_error_stands_beside_its_field(self, page, change, message):
        shown = text(page.post(PAGE, FORM | change))

        assert message in shown
        (field,) = change
        assert f'id="id_{field}_error"' in shown
        assert not StrategyCheck.objects.exists()

    @pytest.mark.parametrize("rows", [1, 3])
    def test_it_takes_the_same_queries_however_many(
        self, page, person, rows, django_assert_max_num_queries
    ):
        for period in range(2, 2 + rows):
            make_check(person, parameters={"short_ema_period": period})

        with django_assert_max_num_queries(20):
            page.get(PAGE)


class TestCheckPage:
    def test_a_waiting_one_asks_again_by_itself_and_can_be_canceled(self, page, person):
        check = make_check(person)
        address = f"/checks/results/{check.public_id}/"

        shown = text(page.get(address))
        assert f'hx-get="{address}?version={check.version}"' in shown

        headers = {"HX-Request": "true"}
        assert page.get(f"{address}?version={check.version}", headers=headers).status_code == 204
        page.post(f"{address}cancel/")
        assert "canceled before it had a result" in text(page.get(address))
        assert page.get(address, headers=headers).headers["HX-Refresh"] == "true"
        assert "over already" in text(page.post(f"{address}cancel/", follow=True))

    def test_a_caught_cheat_shows_its_evidence(self, page, person):
        check = make_caught_check(person)

        shown = text(page.get(f"/checks/results/{check.public_id}/"))

        assert "Its backtests show nothing" in shown
        for words in (
            "the first bar that differs",
            "What was changed",
            "bars alone",
            "On the whole history",
        ):
            assert words in shown

    def test_a_failed_one_says_why(self, page, person):
        check = make_check(person)
        check.status, check.error_message = RunStatus.FAILED, "It took too long."
        check.save()

        assert "It took too long." in text(page.get(f"/checks/results/{check.public_id}/"))


class TestApi:
    @pytest.fixture
    def api(self, page):
        return page

    def post(self, api, **changes):
        body = {
            "strategy": "ema-crossover",
            "market": "binance:BTC/USDT",
            "timeframe": "1h",
            "from": "2024-01-01T00:00:00Z",
            "to": "2024-01-26T00:00:00Z",
            "parameters": {"short_ema_period": 5},
            **changes,
        }
        return api.post(
            "/api/v1/strategy-checks", json.dumps(body), content_type="application/json"
        )

    def test_a_check_is_requested_read_and_canceled(self, api):
        made = self.post(api)
        assert made.status_code == 201
        assert self.post(api).status_code == 200

        address = made.headers["Location"]
        assert api.get(address).json()["status"] == "QUEUED"
        assert [each["id"] for each in api.get("/api/v1/strategy-checks").json()["results"]] == [
            made.json()["id"]
        ]
        assert api.post(f"{address}/cancel").json()["status"] == "CANCELED"
        assert api.post(f"{address}/cancel").status_code == 409

    def test_the_published_one_is_everybodys(self, api):
        address = "/api/v1/strategies/ema-crossover/check"
        assert api.get(address).status_code == 404

        make_done_check(with_plan(make_person("op@example.com")), is_published=True)

        said = api.get(address).json()
        assert [each["check"] for each in said["results"]][-1] == "PARAMETERS"
        assert said["verdict"] in {"PASSED", "WARNING"}

    def test_what_is_wrong_is_named_with_its_code(self, api):
        answer = self.post(api, timeframe="7m", parameters={"speed": 1})

        assert answer.status_code == 400
        assert {(each["field"], each["code"]) for each in answer.json()["errors"]} == {
            ("timeframe", "invalid_timeframe"),
            ("parameters.speed", "unknown_field"),
        }
