"""What operators decide about entries of the catalogue, and how people find them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from billing.models import Product
from foundation.audit import Actor
from foundation.models import AuditEntry
from strategies import registry
from strategies.models import Strategy
from strategies.selectors import catalogue as selectors
from strategies.services import catalogue, entries
from strategies.services.entries import InvalidEntryError, NotInCodeError
from tests.factories import billing
from tests.factories.accounts import make_person
from tests.factories.evidence import make_evidence
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

NOW = datetime(2024, 6, 1, tzinfo=UTC)
BY = Actor.system("test")


@pytest.fixture(autouse=True)
def _the_code_has_one_strategy(monkeypatch):
    only = registry.get_definition("ema-crossover")
    monkeypatch.setattr(registry, "all_definitions", lambda: (only,))


@pytest.fixture
def strategy() -> Strategy:
    make_catalogue()
    return Strategy.objects.get(slug="ema-crossover")


def edit(strategy: Strategy, **changes: Any) -> Strategy:
    """Edit the entry as an operator who leaves the rest of the form as it is."""
    form: dict[str, Any] = {
        name: getattr(strategy, name)
        for name in (
            "name",
            "category",
            "risk",
            "summary",
            "description",
            "suggested_timeframe",
            "position",
            "is_featured",
        )
    }
    return entries.edit_entry(strategy_id=strategy.pk, **(form | changes), by=BY, now=NOW)


class TestEdit:
    def test_old_and_new_values_are_on_record(self, strategy):
        edit(strategy, name="Two averages", risk="HIGH")

        entry = AuditEntry.objects.get(verb="strategy.edited")
        assert entry.detail["old"] == {"name": "EMA crossover", "risk": "MEDIUM"}
        assert entry.detail["new"] == {"name": "Two averages", "risk": "HIGH"}
        assert Product.objects.get(code="strategy:ema-crossover").name == "Two averages"

    def test_the_code_does_not_take_back_what_was_edited_and_still_says_the_rest(
        self, strategy, monkeypatch
    ):
        edit(strategy, name="Two averages")
        definition = registry.get_definition("ema-crossover")
        renamed = replace(definition, name="Renamed in code", summary="Another summary.")
        monkeypatch.setattr(registry, "all_definitions", lambda: (renamed,))

        catalogue.sync_catalogue(now=NOW)

        strategy.refresh_from_db()
        assert strategy.name == "Two averages"
        assert strategy.summary == "Another summary."

    def test_the_codes_text_can_be_taken_again(self, strategy):
        edit(strategy, name="Two averages", suggested_timeframe="4h", position=7)

        entries.reset_entry(strategy_id=strategy.pk, by=BY, now=NOW)

        strategy.refresh_from_db()
        assert (strategy.name, strategy.suggested_timeframe) == ("EMA crossover", "1h")
        assert strategy.edited_fields == []
        assert strategy.position == 7

    def test_a_form_without_a_change_leaves_no_trace(self, strategy):
        edit(strategy)

        assert not AuditEntry.objects.filter(verb="strategy.edited").exists()
        strategy.refresh_from_db()
        assert strategy.edited_fields == []

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", "  "),
            ("name", "x" * 101),
            ("name", "two\nlines"),
            ("summary", ""),
            ("category", "GAMBLING"),
            ("risk", "NONE"),
            ("suggested_timeframe", "7m"),
            ("position", -1),
            ("position", 10_000),
            ("description", "x" * 10_001),
            ("description", "nul \x00"),
        ],
    )
    def test_what_the_catalogue_cannot_show_is_refused(self, strategy, field, value):
        with pytest.raises(InvalidEntryError) as caught:
            edit(strategy, **{field: value})

        assert [problem.field for problem in caught.value.problems] == [field]


class TestRetire:
    def test_a_retired_one_is_offered_to_nobody_and_the_code_does_not_bring_it_back(
        self, strategy, client
    ):
        entries.set_active(strategy_id=strategy.pk, is_active=False, by=BY, now=NOW)
        catalogue.sync_catalogue(now=NOW)

        assert selectors.active_strategies() == []
        assert not Product.objects.get(code="strategy:ema-crossover").is_active
        client.force_login(make_person())
        assert client.get("/strategies/ema-crossover/").status_code == 404
        assert client.get("/api/v1/strategies/ema-crossover").status_code == 404
        assert client.get("/api/v1/strategies").json()["results"] == []
        assert AuditEntry.objects.filter(verb="strategy.retired").count() == 1

    def test_who_has_a_right_to_a_retired_one_still_reads_about_it(self, strategy, client):
        subscriber, other = make_person(), make_person("grace@example.com")
        billing.give(subscriber, now=timezone.now())
        entries.set_active(strategy_id=strategy.pk, is_active=False, by=BY, now=NOW)

        client.force_login(subscriber)
        page = client.get("/strategies/ema-crossover/")
        assert page.status_code == 200
        assert "This strategy was retired" in page.content.decode()
        assert "Backtest</a>" not in page.content.decode()
        assert client.get("/api/v1/strategies/ema-crossover").status_code == 200

        client.force_login(other)
        assert client.get("/strategies/ema-crossover/").status_code == 404
        assert client.get("/api/v1/strategies/ema-crossover").status_code == 404

        Strategy.objects.update(is_registered=False)
        client.force_login(subscriber)
        assert client.get("/strategies/ema-crossover/").status_code == 404

    def test_it_can_be_offered_again(self, strategy):
        for is_active in (False, False, True, True):
            entries.set_active(strategy_id=strategy.pk, is_active=is_active, by=BY, now=NOW)

        assert [each.slug for each in selectors.active_strategies()] == ["ema-crossover"]
        assert AuditEntry.objects.filter(verb="strategy.activated").count() == 1

    def test_one_whose_code_is_gone_cannot_be_offered(self, strategy, monkeypatch):
        entries.set_active(strategy_id=strategy.pk, is_active=False, by=BY, now=NOW)
        monkeypatch.setattr(registry, "all_definitions", tuple)
        catalogue.sync_catalogue(now=NOW)

        with pytest.raises(NotInCodeError):
            entries.set_active(strategy_id=strategy.pk, is_active=True, by=BY, now=NOW)

    def test_one_that_the_code_has_again_is_offered_as_before(self, strategy, monkeypatch):
        with monkeypatch.context() as gone:
            gone.setattr(registry, "all_definitions", tuple)
            catalogue.sync_catalogue(now=NOW)
        catalogue.sync_catalogue(now=NOW)

        assert [each.slug for each in selectors.active_strategies()] == ["ema-crossover"]


class TestNarrowing:
    @pytest.fixture
    def page(self, client):
        make_evidence()
        for number, risk in enumerate(("LOW", "HIGH")):
            Strategy.objects.create(
                slug=f"idea-{number}",
                name=f"Idea {number}",
                category="MOMENTUM",
                risk=risk,
                summary="Buys what rises.",
                suggested_timeframe="4h",
                is_featured=number == 1,
            )
        billing.set_price()
        client.force_login(make_person())

        def shown(query: str) -> list[str]:
            return [card.slug for card in client.get(f"/strategies/{query}").context["cards"]]

        return shown

    @pytest.mark.parametrize(
        ("query", "slugs"),
        [
            ("", ["idea-1", "ema-crossover", "idea-0"]),
            ("?sort=name", ["ema-crossover", "idea-0", "idea-1"]),
            ("?sort=risk", ["idea-0", "ema-crossover", "idea-1"]),
            ("?sort=return", ["ema-crossover", "idea-0", "idea-1"]),
            ("?sort=drawdown&category=MOMENTUM", ["idea-0", "idea-1"]),
            ("?sort=newest", ["idea-1", "idea-0", "ema-crossover"]),
            ("?category=TREND_FOLLOWING", ["ema-crossover"]),
            ("?risk=HIGH", ["idea-1"]),
            ("?timeframe=4h", ["idea-1", "idea-0"]),
            ("?price=paid", ["ema-crossover"]),
            ("?price=free", ["idea-1", "idea-0"]),
            ("?market=spot&risk=LOW", ["idea-0"]),
            ("?q=CROSSING", ["ema-crossover"]),
            ("?q=momentum", ["idea-1", "idea-0"]),
            ("?q=%25&risk=%27;--", []),
            ("?risk=nonsense&page=99&sort=nonsense", ["idea-1", "ema-crossover", "idea-0"]),
        ],
    )
    def test_the_catalogue_shows_what_fits_in_order(self, page, query, slugs):
        assert page(query) == slugs

    def test_nothing_that_fits_says_so_and_leads_back(self, client, page):
        shown = client.get("/strategies/?q=zzz").text

        assert "Nothing fits" in shown
        assert "0</span> of" in shown

    def test_prices_and_evidence_are_shown_and_names_are_escaped(self, client, page):
        Strategy.objects.filter(slug="idea-0").update(name="<script>alert(1)</script>")

        shown = client.get("/strategies/").text

        assert "20.00" in shown
        assert "Free" in shown
        assert "Backtest on BTC/USDT at Binance" in shown
        assert "<script>alert(1)" not in shown

    def test_its_queries_do_not_grow_with_the_entries(
        self, client, page, django_assert_num_queries
    ):
        client.get("/strategies/")
        with django_assert_num_queries(11) as few:
            client.get("/strategies/")
        Strategy.objects.bulk_create(
            Strategy(
                slug=f"more-{n}", name=f"More {n}", category="MOMENTUM", risk="LOW", summary="x"
            )
            for n in range(60)
        )
        with django_assert_num_queries(len(few.captured_queries)):
            client.get("/strategies/")
