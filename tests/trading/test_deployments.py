"""What may be deployed, and what becomes of feeds and accounts."""

import uuid
from decimal import Decimal

import pytest

from exchanges.models import CandleFeed, FeedHold
from exchanges.services import accounts as exchange_accounts
from foundation.audit import Actor
from market.errors import NotFoundError
from strategies.registry import UnknownStrategyError
from tests.factories import accounts as people
from tests.factories import trading as factory
from trading.models import ActualState, Deployment, SignalGroup
from trading.services import commands, partitions, sweeps
from trading.services.accounts import AccountInUseError
from trading.services.terms import (
    AccountNotReadyError,
    CapitalTooSmallError,
    InvalidDeploymentError,
)

pytestmark = pytest.mark.django_db


class TestDeploy:
    def test_starts_at_the_bar_that_forms_now_with_its_history_in_front(
        self, live_account, instrument, now
    ):
        deployment = factory.make_deployment(live_account, now=now, is_started=False)

        assert deployment.actual_state == ActualState.STARTING
        group = SignalGroup.objects.get()
        forming = now.replace(second=0, microsecond=0)
        assert group.last_bar_close_at == forming
        assert (forming - group.anchor_at).total_seconds() == 25 * 60
        assert CandleFeed.objects.get().backfill_from_at == group.anchor_at

    @pytest.mark.parametrize(
        ("fields", "field", "code"),
        [
            ({"symbol": "NOPE/USDT"}, "symbol", "unknown_symbol"),
            ({"timeframe": "7m"}, "timeframe", "unknown_timeframe"),
            ({"capital": Decimal(0)}, "capital", "out_of_range"),
            ({"capital": Decimal("NaN")}, "capital", "out_of_range"),
            ({"name": "  "}, "name", "out_of_range"),
            ({"stop_policy": "SHRUG"}, "stop_policy", "unknown_choice"),
            ({"parameters": {"colour": 1}}, "colour", "unknown_field"),
            ({"parameters": {"long_ema_period": 999}}, "long_ema_period", "out_of_range"),
        ],
    )
    def test_says_what_is_wrong_with_which_field(self, live_account, now, fields, field, code):
        with pytest.raises(InvalidDeploymentError) as caught:
            factory.make_deployment(live_account, now=now, **fields)

        assert [(each.field, each.code) for each in caught.value.problems] == [(field, code)]
        assert not Deployment.objects.exists()

    @pytest.mark.parametrize(
        ("strategy", "timeframe", "words"),
        [
            ("cpr-daily", "4h", "at most 1h"),
            ("cpr-daily", "1s", "at least 1m"),
            ("opening-range", "1h", "a bar that begins at 13:30 UTC"),
        ],
    )
    def test_refuses_bars_that_do_not_suit_the_strategy(
        self, live_account, now, strategy, timeframe, words
    ):
        with pytest.raises(InvalidDeploymentError, match=words) as caught:
            factory.make_deployment(
                live_account, now=now, strategy_slug=strategy, timeframe=timeframe, parameters={}
            )

        (problem,) = caught.value.problems
        assert (problem.field, problem.code) == ("timeframe", "unsuitable_timeframe")
        assert not Deployment.objects.exists()

    def test_names_every_problem_at_once(self, live_account, now):
        with pytest.raises(InvalidDeploymentError) as caught:
            factory.make_deployment(live_account, now=now, name="", timeframe="x", symbol="y")

        assert {each.field for each in caught.value.problems} == {"name", "timeframe", "symbol"}

    def test_refuses_capital_that_pays_for_no_order(self, live_account, now):
        with pytest.raises(CapitalTooSmallError):
            factory.make_deployment(live_account, now=now, capital=Decimal(5))

    def test_refuses_an_account_that_is_not_connected(self, live_account, now):
        live_account.status, live_account.connected_at = "INVALID", None
        live_account.save()

        with pytest.raises(AccountNotReadyError):
            factory.make_deployment(live_account, now=now)

    def test_does_not_find_the_account_of_somebody_else(self, live_account, now):
        stranger = people.make_person("eve@example.com")

        with pytest.raises(NotFoundError):
            factory.make_deployment(live_account, now=now, owner=stranger)
        with pytest.raises(NotFoundError):
            factory.make_deployment(live_account, now=now, account_public_id=uuid.uuid4())

    def test_knows_the_strategies_of_the_registry_only(self, live_account, now):
        with pytest.raises(UnknownStrategyError):
            factory.make_deployment(
                live_account, now=now, strategy_slug="martingale", is_subscribed=False
            )


class TestEnd:
    def test_the_last_deployment_of_a_group_lets_go_of_its_feed(self, desk):
        other = factory.make_deployment(desk.deployment.account, now=desk.now, name="Other")
        assert FeedHold.objects.count() == 1

        self._stop(desk.deployment, desk.now)
        assert FeedHold.objects.count() == 1
        self._stop(other, desk.now)

        assert FeedHold.objects.count() == 0

    def test_an_account_is_not_closed_while_something_trades_on_it(self, desk):
        owner, account = desk.deployment.owner, desk.deployment.account
        arguments = {
            "owner": owner,
            "account_public_id": account.public_id,
            "by": Actor.person(owner.pk),
            "now": desk.now,
        }

        with pytest.raises(AccountInUseError):
            exchange_accounts.close_account(**arguments)
        self._stop(desk.deployment, desk.now)

        assert exchange_accounts.close_account(**arguments).closed_at == desk.now

    def _stop(self, deployment, now):
        command = commands.request_command(
            owner=deployment.owner,
            deployment_public_id=deployment.public_id,
            kind="STOP",
            idempotency_key="stop",
            by=Actor.person(deployment.owner_id),
            now=now,
        )
        assert commands.act_on_command(command_id=command.pk, now=now)


def test_a_group_without_new_bars_is_not_sent_for(live_deployment, now):
    assert sweeps.sweep_evaluation(now=now) == 0


def test_partitions_of_the_coming_months_are_made_once(db, now):
    partitions.ensure_partitions(now=now)

    assert partitions.ensure_partitions(now=now) == 0
