"""Thousands of paper deployments in hundreds of signal groups, put into the database at once.

One deployment of each group is made by the service; the others are copies of its rows by COPY.
"""

import copy
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.contrib.auth.hashers import make_password
from django.db import connection, models
from django.utils import timezone

from accounts.models import User
from billing.models import Subscription
from exchanges.adapters import memory
from exchanges.adapters.factory import MEMORY
from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.protocol import InstrumentReport
from exchanges.models import AccountKind, ExchangeAccount, Instrument
from foundation.audit import Actor
from foundation.copying import copy_rows
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds
from strategies.services import catalogue
from tests.factories import billing
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.models import (
    ActualState,
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    DeploymentRevision,
    GroupShard,
    SignalGroup,
    StopPolicy,
)
from trading.services import deployments as deployment_service
from trading.services import groups as trading_groups

#: People on average have so many deployments.
EACH_HAS = 10

STRATEGY = "ema-crossover"

#: Bars in front of the first that is decided on: a day of minutes since the groups' anchor.
HISTORY = 1_440

PRICE = 100.0


@dataclass(frozen=True)
class Crowd:
    """Who trades what: the instruments, and the groups by instrument."""

    instruments: list[Instrument]
    groups: dict[int, list[int]]
    first_open_ms: int

    def group_ids(self, instruments: Sequence[Instrument]) -> list[int]:
        """Return the groups that trade *instruments*."""
        return [group for each in instruments for group in self.groups[each.pk]]


def make_crowd(*, deployments: int, instruments: int, groups_each: int) -> Crowd:
    """Return paper deployments that share ``instruments x groups_each`` groups evenly.

    The first bar that they decide on closed a moment ago; none is stored yet.
    """
    now = timezone.now() - timedelta(hours=1)
    venue = market_factory.make_venue("crowd", ccxt_id=MEMORY, takes_live_accounts=True)
    markets = [
        market_factory.make_instrument(f"C{number:03}/USDT", venue=venue)
        for number in range(instruments)
    ]
    models_of: list[Deployment] = []
    groups: dict[int, list[int]] = {}
    memory.use_venue(venue.code, InMemoryVenue(instruments=[_listed(each) for each in markets]))
    catalogue.sync_catalogue(now=now)
    for market in markets:
        # A person may have fifty deployments.
        operator = User.objects.create_superuser(f"of-{market.base}@example.com", "password")
        account = factory.make_account(operator, market, kind=AccountKind.PAPER, now=now)
        billing.subscribe(operator, STRATEGY)
        for number in range(groups_each):
            made = _deploy(account, market, number, now)
            models_of.append(made)
            groups.setdefault(market.pk, []).append(made.revisions.get().group_id)
    if deployments > len(models_of):
        accounts = _people(account, count=max(deployments // EACH_HAS, 1))
        _copy_deployments(models_of, accounts, count=deployments - len(models_of))
    while trading_groups.split_large_shards():
        # Each turn halves what is too large, as the platform's turns do.
        continue
    # Making all this takes its time; what is measured is about now.
    first_open_ms = Timeframe.M1.open_of(to_milliseconds(timezone.now())) - MINUTE_MS
    first_at = from_milliseconds(first_open_ms)
    SignalGroup.objects.update(
        anchor_at=first_at - timedelta(minutes=HISTORY), last_bar_close_at=first_at
    )
    GroupShard.objects.update(last_bar_close_at=first_at)
    _store_history(markets, first_open_ms)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Crowd(markets, groups, first_open_ms)


def make_holders(instruments: Sequence[Instrument], *, opened_at: datetime) -> int:
    """Let every deployment on *instruments* hold a position with a stop far away; return how many."""
    found = DeploymentPosition.objects.filter(instrument__in=instruments)
    held = found.update(
        quantity=Decimal(1),
        average_price=Decimal(100),
        opened_at=opened_at,
        last_price=Decimal(100),
        last_price_at=opened_at,
    )
    marks = {
        "seen_lots": 100_000,
        "stop_ticks": 5_000,
        "entered_ms": int(opened_at.timestamp() * 1_000),
        "trades": 1,
    }
    DeploymentInstrument.objects.filter(instrument__in=instruments).update(marks=marks)
    return held


def _listed(market: Instrument) -> InstrumentReport:
    """Return *market* as its venue lists it, for orders on paper are checked against that."""
    return InstrumentReport(
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        tick_size=market.tick_size,
        lot_step=market.lot_step,
        minimum_quantity=market.minimum_quantity,
        minimum_notional=market.minimum_notional,
        is_active=True,
    )


def _deploy(account: ExchangeAccount, market: Instrument, number: int, now: datetime) -> Deployment:
    made = deployment_service.deploy(
        owner=account.owner,
        name="Crossover",
        strategy_slug=STRATEGY,
        account_public_id=account.public_id,
        symbol=market.symbol,
        timeframe=Timeframe.M1.value,
        parameters={"short_ema_period": 2 + number, "long_ema_period": 12 + number},
        capital=Decimal(10_000),
        stop_policy=StopPolicy.FLATTEN.value,
        by=Actor.person(account.owner.pk),
        now=now,
    )
    made.actual_state = ActualState.RUNNING
    made.save(update_fields=["actual_state"])
    return made


def _store_history(markets: Sequence[Instrument], first_open_ms: int) -> None:
    steps = np.random.default_rng(1).normal(0, 0.0002, HISTORY)
    closes = np.round(PRICE * np.exp(steps - steps[-1]), 2)
    # An hour of rest, then a dip: whoever rises from here crosses upward, who goes on falling does not.
    closes[-60:] = PRICE
    closes[-1] = 0.99 * PRICE
    candles = market_factory.make_candles(
        closes.tolist(),
        timeframe=Timeframe.M1,
        first_open_ms=first_open_ms - HISTORY * MINUTE_MS,
    )
    for market in markets:
        market_factory.store_candles(market, Timeframe.M1, candles)


def _people(like: ExchangeAccount, *, count: int) -> list[ExchangeAccount]:
    password = make_password(None)
    newest = like.pk
    copy_rows(
        [User(email=f"person{number}@example.com", password=password) for number in range(count)]
    )
    people = User.objects.filter(pk__gt=like.owner_id).order_by("pk")
    right = Subscription.objects.get(owner_id=like.owner_id)
    copy_rows([_copied(right, owner_id=person.pk) for person in people])
    copy_rows([_copied(like, owner_id=person.pk) for person in people])
    return list(ExchangeAccount.objects.filter(pk__gt=newest).order_by("pk"))


def _copy_deployments(
    originals: Sequence[Deployment], accounts: Sequence[ExchangeAccount], *, count: int
) -> None:
    ids = [each.pk for each in originals]
    rows = [
        _copied(
            originals[number % len(originals)],
            owner_id=accounts[number % len(accounts)].owner_id,
            account_id=accounts[number % len(accounts)].pk,
        )
        for number in range(count)
    ]
    copy_rows(rows)
    made = Deployment.objects.exclude(pk__in=ids).order_by("pk")
    keys = list(made.values_list("pk", "owner_id", "account_id"))
    for model in (DeploymentInstrument, DeploymentPosition, DeploymentRevision):
        by_deployment = {each.deployment_id: each for each in model.objects.all()}
        patterns = [by_deployment[pk] for pk in ids]
        copies: list[models.Model] = []
        for number, (pk, owner_id, account_id) in enumerate(keys):
            values = {"deployment_id": pk, "owner_id": owner_id}
            if model is DeploymentInstrument:
                values["account_id"] = account_id
            copies.append(_copied(patterns[number % len(patterns)], **values))
        copy_rows(copies)


def _copied(row: Any, **values: Any) -> Any:
    made = copy.copy(row)
    made._state = copy.copy(row._state)
    made._state.fields_cache = {}
    made.pk = None
    if hasattr(made, "public_id"):
        made.public_id = uuid.uuid4()
    for name, value in values.items():
        setattr(made, name, value)
    return made
