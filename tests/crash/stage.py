"""Where scenarios play: an exchange in a process of its own, and a person's deployment on it."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import connections
from django.utils import timezone

from exchanges.adapters import factory as clients
from exchanges.adapters import loops
from exchanges.models import AccountStatus, ExchangeAccount, Instrument, Venue
from exchanges.services import catalogue
from foundation import queue
from foundation.horizons import Horizons
from foundation.models import OutboxEvent
from market import money
from market.enums import Leg, OrderType, Side
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds
from tests.crash.plans import Plan
from tests.exchanges.accounts.connecting import connect
from tests.exchanges.simulator.running import RawClient, SimulatorProcess
from tests.factories import accounts as people
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from trading.models import Deployment, GroupShard, Order, OrderIntent, SignalGroup

#: All horizons pass forty times as fast, but for those within which a process must have done
#: something: no machine becomes faster by being told, and two shared cores need their time.
SCALE: Final = 1 / 40
HORIZONS: Final = replace(
    Horizons().scaled(SCALE),
    venue_timeout_s=0.8,
    wire_margin_s=0.1,
    submitting_s=1.0,
    absence_s=2.5,
)

SYMBOLS: Final[Mapping[bool, tuple[str, str]]] = {
    False: ("simulator", "BTC/USDT"),
    True: ("simulator-futures", "BTC/USDT:USDT"),
}
_QUANTITY: Final = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class Scene:
    """One person's account and deployment, and where the exchange keeps its truth of it."""

    plan: Plan
    api_key: str
    deployment: Deployment
    instrument: Instrument
    group_id: int
    egress: str

    @property
    def account_id(self) -> int:
        """The exchange account."""
        account_id: int = self.deployment.account_id
        return account_id


@dataclass(slots=True)
class Stage:
    """A running exchange, and the markets of it that the platform knows."""

    simulator: SimulatorProcess
    instruments: dict[bool, Instrument]
    ends_ms: dict[int, float] = field(default_factory=dict)
    price: float = 0.0

    def admin(self, method: str, path: str, document: object = None) -> Any:
        """Speak to the administrator's side of the exchange."""
        client = RawClient(self.simulator.url)
        try:
            status, answer = client.admin(method, path, document)
            assert status < 300, (path, answer)
            return answer
        finally:
            client.close()

    def truth(self, scene: Scene) -> dict[str, list[dict[str, Any]]]:
        """Return what really happened to the account of *scene*."""
        return dict(self.admin("GET", f"/simulator/truth?account={scene.api_key}"))

    def end_bad_hour(self) -> None:
        """Let the exchange work again."""
        self.admin("DELETE", "/simulator/faults")

    def move_market(self, factor: float = 1.0) -> None:
        """Have the price stand at *factor* times where it began, from now on.

        Between two steps nothing moves by itself: what is compared is compared at rest.
        """
        self.price = self.price or self.last_price()
        path = [[0, self.price * factor], [86_400, self.price * factor]]
        self.admin("POST", "/simulator/script", {"prices": {"BTC/USDT": path}})

    def last_price(self) -> float:
        """Return the price of bitcoin at the exchange."""
        return float(self.admin("GET", "/simulator/status")["prices"]["BTC/USDT"])

    def make_scene(self, plan: Plan) -> Scene:
        """Return a new account with a deployment that is about to enter."""
        key, secret = secrets.token_hex(16), secrets.token_hex(16)
        wallet = "futures_balances" if plan.is_swap else "balances"
        funds = {"USDT": "100000"} if plan.is_swap else {"USDT": "100000", "BNB": "10"}
        self.admin("POST", "/simulator/accounts", {"api_key": key, "secret": secret, wallet: funds})
        end_ms = self._store_cross()
        begun_at = from_milliseconds(end_ms - MINUTE_MS)
        account = self._connect(plan, key, secret)
        symbol = SYMBOLS[plan.is_swap][1]
        deployment = factory.make_deployment(account, now=begun_at, symbol=symbol)
        group_id = deployment.revisions.get().group_id
        # Groups remember what they have seen: this deployment is to meet the bar of the others too.
        SignalGroup.objects.filter(pk=group_id).update(last_bar_close_at=begun_at)
        GroupShard.objects.filter(group_id=group_id).update(last_bar_close_at=begun_at)
        instrument = self.instruments[plan.is_swap]
        if plan.entry != "SIGNAL":
            _decide(deployment, instrument, plan, price=self.ends_ms[end_ms], end_ms=end_ms)
        # What connecting and deploying had to tell is told.
        OutboxEvent.objects.filter(delivered_at=None).update(delivered_at=timezone.now())
        return Scene(plan, key, deployment, instrument, group_id, egress=f"crash-{key[:8]}")

    def begin_bad_hour(self, scene: Scene) -> None:
        """Program what goes wrong with the requests of *scene*."""
        rules = [
            {"call": "ANY", **_with_call(rule), "account": scene.api_key}
            for rule in scene.plan.rules
        ]
        if rules:
            self.admin("POST", "/simulator/faults", {"rules": rules, "seed": scene.plan.seed})

    def _connect(self, plan: Plan, key: str, secret: str) -> ExchangeAccount:
        person = people.make_person(f"{key}@example.com")
        account = connect(person, venue_code=SYMBOLS[plan.is_swap][0], api_key=key, secret=secret)
        now = timezone.now()
        ExchangeAccount.objects.filter(pk=account.pk).update(
            status=AccountStatus.ACTIVE, connected_at=now, next_reconcile_at=now
        )
        return ExchangeAccount.objects.select_related("owner").get(pk=account.pk)

    def _store_cross(self) -> int:
        """Store bars whose last one makes the strategy buy; return when that one closes."""
        end_ms = Timeframe.M1.open_of(to_milliseconds(timezone.now())) + MINUTE_MS
        if end_ms not in self.ends_ms:
            price = self.last_price()
            closes = [price] * 27 + [price * 0.99, price * 1.01]
            candles = market_factory.make_candles(
                closes, timeframe=Timeframe.M1, first_open_ms=end_ms - len(closes) * MINUTE_MS
            )
            for instrument in self.instruments.values():
                market_factory.store_candles(instrument, Timeframe.M1, candles)
            self.ends_ms[end_ms] = price
        return end_ms

    def dismiss(self, scene: Scene) -> None:
        """Take a scene's rows out of the way of the next one."""
        self.end_bad_hour()
        if scene.plan.falls:
            self.move_market()
        Deployment.objects.filter(pk=scene.deployment.pk).update(actual_state="STOPPED")
        OrderIntent.objects.filter(deployment=scene.deployment, status="NEW").update(
            status="SUPERSEDED"
        )
        Order.objects.filter(deployment=scene.deployment).update(next_check_at=None)
        ExchangeAccount.objects.filter(pk=scene.account_id).update(
            closed_at=timezone.now(), next_reconcile_at=None
        )


def _with_call(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return *rule* with the requests that its kind is usually about, unless it names others."""
    usual = {"HIDDEN_ORDER": "CREATE", "PARTIAL_FILL": "CREATE"}
    found = {"call": usual[rule["kind"]]} if rule["kind"] in usual else {}
    return {**found, **rule}


def _decide(
    deployment: Deployment, instrument: Instrument, plan: Plan, *, price: float, end_ms: int
) -> None:
    """Store an entry as the strategy's evaluation would have."""
    factors = {"LIMIT": 1.01, "RESTING": 0.95}
    fields: dict[str, Any] = {}
    if plan.entry in factors:
        factor = 2 - factors[plan.entry] if plan.is_short else factors[plan.entry]
        limit = money.quantize_price(
            money.decimal_of(price * factor), tick=instrument.tick_size, rounding="ROUND_DOWN"
        )
        fields = {"order_type": OrderType.LIMIT.value, "price": limit}
    factory.make_intent(
        deployment,
        instrument,
        now=timezone.now() - timedelta(milliseconds=1),
        leg=Leg.ENTRY,
        side=Side.SELL if plan.is_short else Side.BUY,
        quantity=_QUANTITY,
        key=f"{deployment.public_id}|ENTRY",
        decided_price=money.decimal_of(price),
        bar_close_at=from_milliseconds(end_ms),
        **fields,
    )


@contextmanager
def opened() -> Iterator[Stage]:
    """Start an exchange beside the present database, and let all horizons pass faster.

    No message arrives anywhere: what has to happen is found in the rows by those who look.
    """
    kept = settings.HORIZONS, settings.SIMULATOR_URL, settings.EGRESS_NAME, queue._send
    settings.HORIZONS = HORIZONS
    queue._send = lambda *_: None
    with SimulatorProcess() as simulator:
        try:
            settings.SIMULATOR_URL = simulator.url
            catalogue.ensure_venues(now=timezone.now())
            instruments = {
                is_swap: Instrument.objects.get(venue__code=code, symbol=symbol)
                for is_swap, (code, symbol) in SYMBOLS.items()
            }
            warm(simulator)
            stage = Stage(simulator, instruments)
            stage.move_market()
            yield stage
        finally:
            settings.HORIZONS, settings.SIMULATOR_URL, settings.EGRESS_NAME, queue._send = kept


def warm(simulator: SimulatorProcess) -> None:
    """Learn the markets once for all processes to come, and close every connection again."""
    settings.EGRESS_NAME = f"crash-{simulator.process.pid}"
    patient = replace(settings.HORIZONS, venue_timeout_s=10.0)
    hasty, settings.HORIZONS = settings.HORIZONS, patient
    for code, symbol in SYMBOLS.values():
        client = clients.market_data(Venue.objects.get(code=code))
        loops.run(client.last_price(symbol))
        loops.run(client.close())
    settings.HORIZONS = hasty
    loops.close()
    connections.close_all()
