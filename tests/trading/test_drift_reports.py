"""A deployment beside its replay, from the request to the page, the API, the file and the command."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from exchanges.models import AccountKind, CandleChunk
from foundation.audit import Actor
from market.timeframes import from_milliseconds
from strategies import registry
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from tests.trading.telling import carry_out
from tests.trading.test_paper_parity import CASES, market_of
from trading.domain.drift_columns import COLUMNS
from trading.models import Deployment, DesiredState, DriftReport, DriftStatus, DriftTrade
from trading.selectors import results
from trading.services import changes, commands, evaluation, live_drift, submission

pytestmark = pytest.mark.django_db

CASE = next(each for each in CASES if each.slug == "ema-crossover")
BY = Actor.system("test")


class Life:
    """A crossover on paper that is fed bar by bar."""

    def __init__(self, instrument) -> None:
        definition = registry.get_definition(CASE.slug)
        params = registry.validate_params(definition, CASE.parameters)
        self.instrument = instrument
        self.next = definition.requirements(params).bars(CASE.timeframe)
        self.candles = market_of(CASE, self.next)
        self.now = from_milliseconds(int(self.candles.open_time[self.next]))
        self.owner = people.make_person()
        account = factory.make_account(self.owner, instrument, kind=AccountKind.PAPER, now=self.now)
        self.deployment = factory.make_deployment(
            account, now=self.now, is_started=False, parameters=dict(CASE.parameters)
        )
        market_factory.store_candles(instrument, CASE.timeframe, self.candles.slice(0, self.next))

    def live(self, bars: int) -> None:
        for index in range(self.next, self.next + bars):
            market_factory.store_candles(
                self.instrument, CASE.timeframe, self.candles.slice(index, index + 1)
            )
            closed_at = from_milliseconds(
                CASE.timeframe.close_of(int(self.candles.open_time[index]))
            )
            self.now = closed_at + timedelta(milliseconds=200)
            group_id = self.deployment.revisions.get(to_bar_at=None).group_id
            evaluation.evaluate_signal_group(group_id=group_id, now=self.now)
            submission.submit_due_intents(now=self.now)
        self.next += bars

    def want(self, state: DesiredState) -> None:
        Deployment.objects.filter(pk=self.deployment.pk).update(desired_state=state)

    def flatten(self) -> None:
        commands.request_command(
            owner=self.owner,
            deployment_public_id=self.deployment.public_id,
            kind="FLATTEN",
            idempotency_key="flatten",
            by=BY,
            now=self.now,
        )
        carry_out(now=self.now)

    def compare(self) -> DriftReport:
        report = live_drift.request_report(
            owner=self.owner,
            deployment_public_id=self.deployment.public_id,
            by=BY,
            now=self.now,
        )
        live_drift.compute_report(report_id=report.pk, now=self.now)
        report.refresh_from_db()
        return report

    def page(self, name: str = "drift") -> str:
        client = Client()
        client.force_login(self.owner)
        response = client.get(reverse(f"trading:{name}", args=[self.deployment.public_id]))
        assert response.status_code == 200
        return b"".join(response).decode()


@pytest.fixture
def life(memory_venue, instrument) -> Life:
    return Life(instrument)


def columns_of(row) -> dict[str, Decimal]:
    return {name: getattr(row, name) for name in COLUMNS if getattr(row, name)}


def test_what_ran_as_its_backtest_has_no_drift_over_a_change_of_parameters(life, capsys):
    life.live(14)
    changes.change(
        owner=life.owner,
        deployment_public_id=life.deployment.public_id,
        parameters={**CASE.parameters, "take_profit_percent": 0.3},
        by=BY,
        now=life.now,
    )
    life.live(14)

    report = life.compare()

    assert (report.status, report.error_message) == (DriftStatus.DONE, "")
    assert report.trades.count() >= 2
    assert columns_of(report) == {}
    assert report.live_pnl == report.replay_pnl
    books = results.result_of(life.deployment.positions.all()).net
    assert abs(report.live_pnl - books) < Decimal("1e-12")
    for _, live, replayed in report.equity:
        assert live == pytest.approx(replayed, abs=1e-6)
    assert report.equity[-1][1] == pytest.approx(10_000 + float(books), abs=1e-6)
    assert "In all" in life.page()
    assert len(list(csv.DictReader(io.StringIO(life.page("drift-csv"))))) == report.trades.count()
    call_command("drift_report", str(life.deployment.public_id), "--owner", life.owner.email)
    assert "residual" in capsys.readouterr().out


def test_a_pause_is_a_halt_a_hand_is_a_hand_and_the_columns_add_up(life):
    life.want(DesiredState.PAUSED)
    life.live(10)
    life.want(DesiredState.RUNNING)
    life.live(7)
    while not life.deployment.positions.filter(quantity__gt=0).exists():
        life.live(1)
    life.flatten()
    life.live(4)

    report = life.compare()

    assert report.status == DriftStatus.DONE
    found = columns_of(report)
    assert {"halts", "manual"} <= set(found)
    assert not {"missed", "late", "funding", "partial"} & set(found)
    assert sum(found.values()) == report.live_pnl - report.replay_pnl
    for trade in report.trades.all():
        assert sum(columns_of(trade).values()) == trade.live_pnl - trade.replay_pnl
    client = Client()
    client.force_login(life.owner)
    told = client.get(reverse("trading-api:drift", args=[life.deployment.public_id])).json()
    assert sum(Decimal(told["totals"][name]) for name in told["columns"]) == Decimal(
        told["totals"]["live_pnl"]
    ) - Decimal(told["totals"]["replay_pnl"])
    rows = client.get(
        reverse("trading-api:drift-trades", args=[life.deployment.public_id]), {"limit": 2}
    ).json()
    assert [row["number"] for row in rows["results"]] == [1, 2]


def test_before_the_first_bar_there_is_nothing_to_replay(life):
    assert "Not compared yet" in life.page()

    report = life.compare()

    assert (report.status, report.error_code) == (DriftStatus.FAILED, "nothing_to_replay")
    assert "No bar has closed yet" in life.page()


def test_without_its_candles_it_says_which_ones_are_missing(life):
    life.live(2)
    CandleChunk.objects.all().delete()

    report = life.compare()

    assert (report.status, report.error_code) == (DriftStatus.FAILED, "history_not_held")
    assert "1m candles of BTC/USDT from 20" in report.error_message
    assert "BTC/USDT" in life.page()


def test_one_report_at_a_time_and_a_lost_worker_is_replaced(
    life, django_capture_on_commit_callbacks
):
    life.live(1)
    wish = {
        "owner": life.owner,
        "deployment_public_id": life.deployment.public_id,
        "by": BY,
        "now": life.now,
    }
    first = live_drift.request_report(**wish)
    assert live_drift.request_report(**wish).pk == first.pk
    # A worker has taken it and was lost; its claim runs out.
    DriftReport.objects.update(
        status=DriftStatus.RUNNING, epoch=1, attempts=1, lease_until=life.now
    )

    assert live_drift.sweep_reports(now=life.now) == 1
    assert live_drift.compute_report(report_id=first.pk, now=life.now)
    assert not live_drift.compute_report(report_id=first.pk, now=life.now)

    first.refresh_from_db()
    assert (first.status, first.attempts, first.epoch) == (DriftStatus.DONE, 2, 2)
    assert not DriftTrade.objects.exists()
    assert "No trades yet" in life.page()
