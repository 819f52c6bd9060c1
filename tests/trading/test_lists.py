"""The long lists of trading: narrowed down, a page at a time, with as many queries for 500 rows as for one."""

from datetime import timedelta

import pytest
from django.urls import reverse

from strategies.reasons import ReasonCode
from tests.factories.accounts import make_person
from tests.trading.rows import copy_deployment, make_traded_deployment, send_more_orders
from trading.models import DeploymentDecision, GroupDecision
from trading.selectors import decisions
from trading.selectors.decisions import DecisionView
from trading.web import list_views

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return make_person()


@pytest.fixture
def traded(person):
    return make_traded_deployment(person)


@pytest.fixture
def page(client, person):
    client.force_login(person)
    return client


def queries_of(page, address, django_assert_max_num_queries):
    with django_assert_max_num_queries(60) as captured:
        assert page.get(address).status_code == 200
    return len(captured)


class TestManyRows:
    @pytest.mark.parametrize("name", ["list", "positions", "orders"])
    def test_take_as_many_queries_as_one(self, page, traded, name, django_assert_max_num_queries):
        address = reverse(f"trading:{name}")
        page.get(address)
        few = queries_of(page, address, django_assert_max_num_queries)

        copy_deployment(traded.deployment, times=120)
        send_more_orders(traded, times=60)

        assert queries_of(page, address, django_assert_max_num_queries) <= few

    def test_deployments_at_work_come_first(self, page, traded):
        copy_deployment(traded.deployment, times=120)

        rows = page.get(reverse("trading:list")).context["rows"]

        assert [row.name for row in rows[:2]] == ["Crossover", "Copy 119"]
        assert len(page.get(reverse("trading:list") + "?page=3").context["rows"]) == 21


class TestNarrowing:
    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("state=at-work", 1),
            ("state=STOPPED", 3),
            ("state=troubled", 0),
            ("mode=PAPER", 0),
            ("strategy=ema-crossover", 4),
            ("state=nonsense", 4),
        ],
    )
    def test_of_deployments(self, page, traded, query, count):
        copy_deployment(traded.deployment, times=3)

        assert len(page.get(reverse("trading:list") + f"?{query}").context["rows"]) == count

    def test_of_orders(self, page, traded):
        address = reverse("trading:orders")
        everything = page.get(address).context["orders"]

        working = page.get(f"{address}?state=working").context["orders"]
        named = page.get(f"{address}?deployment={traded.deployment.public_id}").context["orders"]

        assert [order.leg for order, _ in working] == ["Stop"]
        assert len(named) == len(everything)
        assert not page.get(f"{address}?symbol=XRP/USDT").context["orders"]

    def test_orders_of_a_market_are_the_newest_of_those_that_are_asked_for(
        self, page, traded, monkeypatch
    ):
        address = reverse("trading:orders") + f"?symbol={traded.instrument.symbol.lower()}"
        everything = page.get(address).context["orders"]
        monkeypatch.setattr(list_views, "_ROWS_A_PAGE", 1)

        first = page.get(address)
        second = page.get(f"{address}&before={first.context['older']}")
        working = page.get(f"{address}&state=working")

        assert len(everything) > 1
        assert [*first.context["orders"], *second.context["orders"]] == everything[:2]
        assert [order.leg for order, _ in working.context["orders"]] == ["Stop"]

    def test_orders_are_read_from_the_newest_to_the_oldest_without_a_gap(
        self, page, traded, monkeypatch
    ):
        address = reverse("trading:orders")
        everything = [order.id for order, _ in page.get(address).context["orders"]]
        monkeypatch.setattr(list_views, "_ROWS_A_PAGE", 2)
        walked, older = [], ""
        while True:
            answer = page.get(address, {"before": older} if older else {})
            walked += [order.id for order, _ in answer.context["orders"]]
            assert ("Newest" in answer.content.decode()) == bool(older)
            older = answer.context["older"]
            if not older:
                break

        assert len(walked) >= 3
        assert walked == everything

    @pytest.mark.parametrize("before", ["nonsense", "00000000-0000-4000-8000-000000000000"])
    def test_orders_before_none_of_mine_are_not_found(self, page, traded, before):
        assert page.get(reverse("trading:orders"), {"before": before}).status_code == 404

    def test_nobody_sees_what_is_somebody_elses(self, client, traded):
        client.force_login(make_person("eve@example.com"))

        assert not client.get(reverse("trading:list")).context["rows"]
        assert not client.get(reverse("trading:orders")).context["orders"]
        address = reverse("trading:decisions", args=[traded.deployment.public_id])
        assert client.get(address).status_code == 404


class TestDecisions:
    def test_every_bar_has_one_and_the_reasons_add_up(self, page, person, traded):
        shared = GroupDecision.objects.latest("bar_close_at")
        DeploymentDecision.objects.create(
            owner=person,
            deployment=traded.deployment,
            revision=traded.deployment.revisions.get(),
            instrument=traded.instrument,
            bar_close_at=shared.bar_close_at,
            reason=ReasonCode.ENTRIES_PAUSED.value,
        )

        found = decisions.decisions_for(person, deployment=traded.deployment, limit=10_000)
        counts = decisions.reason_counts(
            person, deployment=traded.deployment, since=traded.now - timedelta(days=7)
        )

        closes = [each.bar_close_at for each in found]
        assert closes == sorted(set(closes), reverse=True)
        assert found[0].reason is ReasonCode.ENTRIES_PAUSED
        assert sum(counts.values()) == len(found)

    def test_pages_follow_each_other_without_a_gap(self, person, traded):
        everything = decisions.decisions_for(person, deployment=traded.deployment, limit=10_000)
        walked: list[DecisionView] = []
        below = None
        while True:
            part = decisions.decisions_for(
                person, deployment=traded.deployment, limit=37, below=below
            )
            if not part:
                break
            walked += part
            below = (part[-1].bar_close_at, part[-1].instrument_id)

        assert walked == list(everything)

    def test_the_page_narrows_down_to_a_reason(self, page, traded):
        address = reverse("trading:decisions", args=[traded.deployment.public_id])

        every = page.get(address)
        only = page.get(f"{address}?reason=NO_SIGNAL")

        assert "NO_SIGNAL" in {code for code, _, _ in every.context["counts"]}
        assert only.context["lines"]
        assert all("no cross" in line.sentence for line in only.context["lines"])
        assert page.get(f"{address}?before=nonsense").status_code == 200
