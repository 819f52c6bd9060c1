"""The catalogue: rows, API, pages and commands."""

import io
from datetime import UTC, datetime

import numpy as np
import pytest
from django.core.management import call_command
from django.db import ProgrammingError, transaction

from billing.models import Product
from foundation.models import AuditEntry
from strategies import parameters, registry
from strategies.definitions import ema_crossover
from strategies.indicators import crossings
from strategies.models import Strategy, StrategyVersion
from strategies.registry import UnknownStrategyError
from strategies.selectors import catalogue as selectors
from strategies.services import catalogue
from strategies.shapes import StrategyParams
from tests.factories.accounts import make_person
from tests.factories.strategies import make_catalogue, make_version

pytestmark = pytest.mark.django_db

NOW = datetime(2024, 6, 1, tzinfo=UTC)


class TestSync:
    def test_every_strategy_of_the_registry_becomes_a_row_a_version_and_a_product(self):
        changes = catalogue.sync_catalogue(now=NOW)

        slugs = [definition.slug for definition in registry.all_definitions()]
        assert list(changes.added) == slugs
        assert {each.slug for each in selectors.active_strategies()} == set(slugs)
        assert set(Product.objects.values_list("code", flat=True)) == {
            f"strategy:{slug}" for slug in slugs
        }
        version = selectors.current_version(selectors.get_strategy("ema-crossover"))
        assert version.number == 1
        assert version.parameters_schema["properties"]["short_ema_period"]["maximum"] == 100

    def test_a_repeat_changes_nothing(self):
        make_catalogue()

        changes = catalogue.sync_catalogue(now=NOW)

        assert changes == catalogue.CatalogueChanges((), (), ())
        assert StrategyVersion.objects.count() == len(registry.all_definitions())

    def test_changed_code_is_a_new_version(self, monkeypatch):
        make_catalogue()
        monkeypatch.setattr(registry, "code_fingerprint", lambda definition: "f" * 64)

        changes = catalogue.sync_catalogue(now=NOW)

        assert ("ema-crossover", 2) in changes.released
        assert AuditEntry.objects.filter(verb="strategy.released").count() > 1

    def test_until_then_the_changed_code_cannot_be_requested(self, monkeypatch):
        make_catalogue()
        definition = registry.get_definition("ema-crossover")
        monkeypatch.setattr(registry, "code_fingerprint", lambda definition: "f" * 64)

        with pytest.raises(selectors.CatalogueOutOfDateError, match="sync_catalogue"):
            selectors.version_of_code(definition)

    def test_what_left_the_registry_is_withdrawn_and_keeps_its_rows(self, monkeypatch):
        make_catalogue()
        monkeypatch.setattr(registry, "all_definitions", tuple)

        changes = catalogue.sync_catalogue(now=NOW)

        assert "ema-crossover" in changes.withdrawn
        assert not Product.objects.get(code="strategy:ema-crossover").is_active
        assert Strategy.objects.filter(slug="ema-crossover").exists()
        with pytest.raises(UnknownStrategyError):
            selectors.get_strategy("ema-crossover")

    def test_a_version_is_never_changed(self):
        version = make_version()

        with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
            StrategyVersion.objects.filter(pk=version.pk).update(number=7)

    def test_parameters_keep_their_order_in_the_database(self):
        version = StrategyVersion.objects.get(pk=make_version().pk)

        names = [info.name for info in parameters.describe(version.parameters_schema)]

        own = [
            name
            for name in ema_crossover.Params.model_fields
            if name not in StrategyParams.model_fields
        ]
        assert names == [*own, *StrategyParams.model_fields]


class TestCommands:
    def test_sync_says_what_changed(self):
        first, second = io.StringIO(), io.StringIO()
        call_command("sync_catalogue", stdout=first)
        call_command("sync_catalogue", stdout=second)

        assert "released  ema-crossover version 1" in first.getvalue()
        assert second.getvalue() == "The catalogue is up to date.\n"

    def test_a_strategy_that_looks_ahead_is_caught_with_the_bar(self, monkeypatch):
        def from_the_end(close, fast, slow):
            told = crossings.ema_crossings(close[::-1].copy(), fast, slow)
            return told._replace(up=told.up[::-1].copy(), ready=np.ones(len(close), dtype=np.bool_))

        monkeypatch.setattr(ema_crossover, "ema_crossings", from_the_end)
        output, errors = io.StringIO(), io.StringIO()

        with pytest.raises(SystemExit) as caught:
            call_command("check_strategy", "ema-crossover", stdout=output, stderr=errors)

        assert caught.value.code == 1
        assert "differs first at bar" in output.getvalue()
        assert errors.getvalue().startswith("error: not_causal")

    def test_an_unknown_one_is_refused(self):
        errors = io.StringIO()

        with pytest.raises(SystemExit) as caught:
            call_command("check_strategy", "gone", stderr=errors)

        assert caught.value.code == 1
        assert errors.getvalue().startswith("error: unknown_strategy")


class TestApi:
    @pytest.fixture
    def api(self, client):
        make_catalogue()
        client.force_login(make_person())
        return client

    def test_strategies_are_listed(self, api):
        results = api.get("/api/v1/strategies").json()["results"]

        assert "ema-crossover" in [each["slug"] for each in results]

    def test_one_comes_with_its_schema(self, api):
        answer = api.get("/api/v1/strategies/ema-crossover").json()

        assert answer["version"] == 1
        assert answer["parameters_schema"]["properties"]["long_ema_period"]["default"] == 20

    def test_an_unknown_one_is_not_found(self, api):
        answer = api.get("/api/v1/strategies/gone")

        assert answer.status_code == 404
        assert answer.json()["code"] == "unknown_strategy"


class TestPages:
    @pytest.fixture
    def page(self, client):
        client.force_login(make_person())
        return client

    def test_an_empty_catalogue_says_so(self, page):
        assert "No strategies yet" in page.get("/strategies/").content.decode()

    def test_the_list_leads_to_a_backtest(self, page):
        make_catalogue()

        shown = page.get("/strategies/").content.decode()

        assert "/strategies/ema-crossover/" in shown
        assert "/backtests/new/?strategy=ema-crossover" in shown

    def test_a_strategy_shows_what_may_be_set(self, page):
        make_catalogue()

        shown = page.get("/strategies/ema-crossover/").content.decode()

        for words in ("short_ema_period", "2 to 100", "% from entry", "when it trades"):
            assert words in shown

    def test_switches_and_times_are_words(self, page):
        make_catalogue()

        rows = page.get("/strategies/opening-range/").context["page"].parameters

        shown = {row.name: (row.default, row.bounds) for row in rows}
        assert shown["flat_at_session_end"] == ("on", "on, off")
        assert shown["session_end_time"] == ("16:00", "as described")
        three = "A close beyond the range and two bars that go further"
        assert shown["confirm"] == (three, f"{three}; The first close beyond the range")

    def test_the_catalogue_says_for_which_bars_and_markets_a_strategy_is(self, page):
        make_catalogue()

        cards = {card.slug: card for card in page.get("/strategies/").context["cards"]}

        assert cards["cpr-daily"].suggested_timeframe == "15m"
        assert cards["cpr-daily"].market == "Spot and perpetual swaps"
        assert cards["opening-range"].suggested_timeframe == "5m"
        assert cards["opening-range"].market == "Perpetual swaps; long only on spot"

    def test_an_unknown_one_is_not_found(self, page):
        assert page.get("/strategies/gone/").status_code == 404
