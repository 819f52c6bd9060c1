"""The demo: an operator, accounts on the bundled simulator, a backtest and a strategy at work.

A repeat adds only what is missing, so that it can run at every start.
"""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings

from accounts.services import operators
from backtesting.services import evidence, runs
from billing.selectors import products as product_selectors
from billing.services import products, subscriptions
from exchanges.selectors import accounts as account_selectors
from exchanges.services import accounts, imports
from foundation.audit import Actor
from market.errors import VenueUnavailableError
from strategies.selectors import catalogue as strategy_selectors
from strategies.services import catalogue as strategy_catalogue
from trading.selectors import deployments as deployment_selectors
from trading.services import deployments

if TYPE_CHECKING:
    from accounts.models import User
    from exchanges.models import ExchangeAccount

_ACTOR: Final = Actor.system("seed_demo")
_SIMULATOR: Final = "simulator"
_ACCOUNT_LABEL: Final = "Simulator"
_BALANCES: Final = {"USDT": "100000", "BTC": "0.5"}
_FUTURES_BALANCES: Final = {"USDT": "100000"}
_CONNECT_TIMEOUT_S: Final = 60.0
_DEMO_STRATEGY: Final = "ema-crossover"

#: What the demo deployment runs: short enough that the market of the simulator crosses several times a minute.
_DEMO_PARAMETERS: Final = {
    "short_ema_period": 5,
    "long_ema_period": 15,
    "risk_per_trade_percent": 1.0,
    "stop_loss_percent": 2.0,
    "take_profit_percent": 4.0,
}

#: What the plans of the demo cost, in dollars.
_DEMO_PRICES: Final = {
    "plan:pro": {"MONTH": 29, "YEAR": 290},
    "plan:desk": {"MONTH": 99, "YEAR": 990},
}

Clock = Callable[[], datetime]
Say = Callable[[str], None]


class SimulatorSilentError(VenueUnavailableError):
    """The simulator exchange did not do what the demo needs."""

    code = "simulator_unavailable"


def seed_demo(*, email: str, password: str, clock: Clock, say: Say) -> None:
    """Make what is missing of the demo; *say* tells each step.

    Raises PlatformError where a part of it cannot be made.
    """
    strategy_catalogue.sync_catalogue(now=clock())
    products.sync_plans(now=clock())
    price_plans(now=clock())
    imports.import_sample_data(now=clock())
    record_evidence(now=clock())
    person = operators.ensure_operator(
        email=email, password=password, display_name="Demo operator", now=clock()
    )
    say(f"The demo person is {email}.")
    request_backtest(person, now=clock())
    if not settings.SIMULATOR_URL:
        say("No simulator exchange here, so nothing is deployed.")
        return
    accounts.ensure_paper_account(owner=person, venue_code=_SIMULATOR, by=_ACTOR, now=clock())
    account = ensure_simulator_account(person, clock=clock)
    await_connection(person, account.public_id)
    if not deployment_selectors.deployments_for(person):
        deploy(person, account.public_id, now=clock())
        say("The EMA crossover is deployed on one-second bars of BTC/USDT.")


def price_plans(*, now: datetime) -> None:
    """Give plans their first prices; where an operator has set or ended any, nothing is touched."""
    if product_selectors.has_ever_priced(_DEMO_PRICES):
        return
    for product_code, amounts in _DEMO_PRICES.items():
        for interval, amount in amounts.items():
            products.set_price(
                product_code=product_code,
                interval=interval,
                amount=Decimal(amount),
                by=_ACTOR,
                now=now,
            )


def record_evidence(*, now: datetime) -> None:
    """Backtest each strategy over the shipped candles for the catalogue; what it has is not done again."""
    offered = strategy_selectors.active_strategies()
    known = strategy_selectors.evidence_of(offered)
    for strategy in offered:
        if known[strategy.pk]:
            continue
        # The catalogue shows those without a backtest that need a longer history than the shipped
        # candles have.
        with suppress(evidence.NothingToShowError):
            evidence.record_evidence(strategy_slug=strategy.slug, by=_ACTOR, now=now)


def request_backtest(person: "User", *, now: datetime) -> None:
    """Ask for a backtest over the shipped candles; the same request returns the run that exists."""
    runs.request_run(
        owner=person,
        strategy_slug=_DEMO_STRATEGY,
        market="binance:BTC/USDT",
        timeframe="4h",
        from_at=datetime(2023, 12, 30, 8, tzinfo=UTC),
        to_at=datetime(2024, 3, 22, 8, tzinfo=UTC),
        parameters={},
        by=_ACTOR,
        now=now,
    )


def ensure_simulator_account(person: "User", *, clock: Clock) -> "ExchangeAccount":
    """Return the person's account on the simulator; make one with a fresh key the first time."""
    for account in account_selectors.accounts_for(person):
        if account.label == _ACCOUNT_LABEL:
            return account
    api_key, secret = secrets.token_hex(32), secrets.token_hex(32)
    _open_simulator_account(api_key, secret)
    return accounts.connect_account(
        owner=person,
        venue_code=_SIMULATOR,
        label=_ACCOUNT_LABEL,
        api_key=api_key,
        secret=secret,
        by=_ACTOR,
        now=clock(),
    )


def await_connection(person: "User", public_id: UUID) -> None:
    """Wait until a worker has tested the key; raise SimulatorSilentError if it is refused or takes too long."""
    deadline = time.monotonic() + _CONNECT_TIMEOUT_S
    while time.monotonic() < deadline:
        account = account_selectors.get_account_for(person, public_id=public_id)
        if account.is_usable:
            return
        if account.status == "INVALID":
            raise SimulatorSilentError(account.status_message)
        time.sleep(0.2)
    raise SimulatorSilentError("No worker could test the key of the demo account in time.")


def deploy(person: "User", account_id: UUID, *, now: datetime) -> None:
    """Subscribe to the demo strategy, and set it to work."""
    subscriptions.subscribe(
        owner=person, product_code=f"strategy:{_DEMO_STRATEGY}", by=_ACTOR, now=now
    )
    deployments.deploy(
        owner=person,
        name="EMA crossover on BTC",
        strategy_slug=_DEMO_STRATEGY,
        account_public_id=account_id,
        symbol="BTC/USDT",
        timeframe="1s",
        parameters=_DEMO_PARAMETERS,
        capital=Decimal(10_000),
        stop_policy="FLATTEN",
        by=_ACTOR,
        now=now,
    )


def _open_simulator_account(api_key: str, secret: str) -> None:
    account = {
        "api_key": api_key,
        "secret": secret,
        "balances": _BALANCES,
        # The same key opens the futures side, for whoever wants to connect it there as well.
        "futures_balances": _FUTURES_BALANCES,
    }
    body = json.dumps(account).encode()
    request = urllib.request.Request(  # noqa: S310  an address of ours
        f"{settings.SIMULATOR_URL}/simulator/accounts",
        data=body,
        headers={
            "Authorization": f"Bearer {settings.SIMULATOR_ADMIN_TOKEN}",
            "Content-Type": "application/json",
        },
    )
    deadline = time.monotonic() + _CONNECT_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310  an address of ours
                return
        except urllib.error.HTTPError as error:
            raise SimulatorSilentError(f"The simulator answered {error.code}.") from None
        except OSError as error:
            # It is started at the same time as this command.
            if time.monotonic() > deadline:
                raise SimulatorSilentError(f"The simulator cannot be reached: {error}.") from None
            time.sleep(0.2)
