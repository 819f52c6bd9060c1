"""A thousand people with an account at the simulator and one deployment each, all in one signal group."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from django.db import models, transaction
from django.utils import timezone

from accounts.models import User
from billing.models import Subscription
from exchanges.events import CANDLES_CLOSED
from exchanges.models import AccountKind, Balance, Credential, ExchangeAccount, Instrument
from exchanges.services import candles as candle_store
from exchanges.services.candles import SeriesBars
from foundation import events
from foundation.crypto import seal
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.models import (
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    DeploymentRevision,
    SignalGroup,
)
from trading.services import groups

CASH = Decimal(100_000)

_Row = TypeVar("_Row", bound=models.Model)


@dataclass(frozen=True)
class Keys:
    """What one account signs with."""

    api_key: str
    secret: str


def write_keys(path: Path, *, count: int) -> list[Keys]:
    """Write a file of accounts for the simulator, and return their keys."""
    keys = [Keys(secrets.token_hex(16), secrets.token_hex(16)) for _ in range(count)]
    accounts = [
        {"api_key": each.api_key, "secret": each.secret, "balances": {"USDT": f"{CASH}"}}
        for each in keys
    ]
    path.write_text(json.dumps(accounts))
    return keys


@dataclass(frozen=True)
class Fleet:
    """The people's accounts, and the group that decides for all of them at the close of a bar."""

    instrument: Instrument
    group_id: int
    account_ids: Sequence[int]
    close_ms: int


def make_fleet(keys: Sequence[Keys], *, url: str, close_ms: int) -> Fleet:
    """Store one running deployment for each of *keys*; the bar that closes at *close_ms* is their first.

    The first person's rows are made by the services, the others are copies of them.
    """
    venue = market_factory.make_venue("simulator", api_url=url, takes_live_accounts=True)
    instrument = market_factory.make_instrument("BTC/USDT", venue=venue)
    now = from_milliseconds(close_ms - MINUTE_MS)
    owner = people.make_person("person0@example.com")
    account = factory.make_account(owner, instrument, kind=AccountKind.LIVE, now=now)
    factory.make_deployment(account, now=now)
    owners = [owner, *_copies(owner, len(keys) - 1, _next_person)]
    accounts = [account, *_copies(account, owners[1:], _next_account)]
    _copies(Subscription.objects.get(owner=owner), owners[1:], _next_subscription)
    _deploy(accounts)
    _store_keys(accounts, keys)
    Balance.objects.bulk_create(
        Balance(
            owner_id=each.owner_id,
            account=each,
            currency="USDT",
            free=CASH,
            used=0,
            venue_at=timezone.now(),
        )
        for each in accounts
    )
    group = SignalGroup.objects.get()
    # As the platform does each minute.
    groups.split_large_shards()
    return Fleet(instrument, group.pk, [each.pk for each in accounts], close_ms)


def store_history(fleet: Fleet, *, price: float) -> None:
    """Store the bars up to the one before the close at which the strategy of the fleet buys."""
    closes = [price] * 27 + [price * 0.99]
    candles = market_factory.make_candles(
        closes, timeframe=Timeframe.M1, first_open_ms=fleet.close_ms - 29 * MINUTE_MS
    )
    market_factory.store_candles(fleet.instrument, Timeframe.M1, candles)


def tell_of_the_close(fleet: Fleet, *, price: float) -> datetime:
    """Store the bar that makes everybody buy, tell of it as the feed does, and return when it was known."""
    bar = market_factory.make_candles(
        [price * 1.01], timeframe=Timeframe.M1, first_open_ms=fleet.close_ms - MINUTE_MS
    )
    with transaction.atomic():
        candle_store.append_closed(
            timeframe=Timeframe.M1, batches=[SeriesBars(fleet.instrument.pk, bar)]
        )
        known_at = timezone.now()
        events.publish(
            CANDLES_CLOSED,
            occurred_at=known_at,
            instrument_ids=[fleet.instrument.pk],
            timeframe=Timeframe.M1.value,
            last_close_ms=fleet.close_ms,
        )
    return known_at


def _copies(row: _Row, of: Any, change: Any) -> list[_Row]:
    fields = [
        field.attname
        for field in row._meta.concrete_fields
        if not field.primary_key and not field.generated
    ]
    others = range(1, of + 1) if isinstance(of, int) else of
    made = []
    for other in others:
        copy = type(row)(**{name: getattr(row, name) for name in fields})
        if hasattr(copy, "public_id"):
            copy.public_id = uuid4()
        change(copy, other)
        made.append(copy)
    return list(type(row)._default_manager.bulk_create(made))


def _next_person(person: User, number: int) -> None:
    person.email = f"person{number}@example.com"


def _next_account(account: ExchangeAccount, owner: User) -> None:
    account.owner = owner


def _next_subscription(subscription: Subscription, owner: User) -> None:
    subscription.owner = owner


def _deploy(accounts: Sequence[ExchangeAccount]) -> None:
    first = Deployment.objects.get()

    def take(deployment: Deployment, account: ExchangeAccount) -> None:
        deployment.account, deployment.owner_id = account, account.owner_id

    deployments = _copies(first, accounts[1:], take)

    def join(row: Any, deployment: Deployment) -> None:
        row.deployment, row.owner_id = deployment, deployment.owner_id
        if hasattr(row, "account_id"):
            row.account_id = deployment.account_id

    for model in (DeploymentRevision, DeploymentInstrument, DeploymentPosition):
        for row in model.objects.filter(deployment=first):
            _copies(row, deployments, join)


def _store_keys(accounts: Sequence[ExchangeAccount], keys: Sequence[Keys]) -> None:
    rows = []
    for account, each in zip(accounts, keys, strict=True):
        row = Credential(
            owner_id=account.owner_id, account=account, version=1, last_four=each.api_key[-4:]
        )
        row.sealed_api_key = seal(each.api_key, row.context("api_key"))
        row.sealed_secret = seal(each.secret, row.context("secret"))
        rows.append(row)
    Credential.objects.bulk_create(rows)
