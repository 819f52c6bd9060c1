"""How deployments, accounts and people stand against their limits: six queries for any number of them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from django.db.models import F, Max, Q, Sum
from django.db.models.functions import Abs, Coalesce

from exchanges.selectors import instruments
from market.enums import Leg
from market.orders import WORKING
from trading.domain.protections import LONGEST_MEMORY, Exit, Standing
from trading.domain.trading_states import Place
from trading.models import (
    IDLE_STATES,
    Deployment,
    DeploymentPosition,
    Fill,
    Order,
    RestrictionScope,
)
from trading.selectors.limits import LimitedTarget

_NOTHING: Final = Decimal(0)


class Measured(Protocol):
    """From where losses are measured."""

    day_pnl: Decimal
    peak_pnl: Decimal


@dataclass(frozen=True, slots=True)
class Run:
    """A deployment: whose, where, and what it may lose."""

    pk: int
    account_id: int
    owner_id: int
    capital: Decimal
    is_at_work: bool
    timeframe: str


@dataclass(slots=True)
class Facts:
    """What is known of everything that is limited.

    ``results`` are the net results of each target by settle currency, open positions included.
    """

    currency_of: Mapping[int, str]
    results: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    traded_in: dict[int, str] = field(default_factory=dict)
    positions: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    entries: dict[int, list[tuple[int, Decimal]]] = field(default_factory=dict)
    exits: dict[int, list[tuple[int, Exit]]] = field(default_factory=dict)

    def standing(self, target: LimitedTarget, place: Place, *, mark: Measured | None) -> Standing:
        """Return how *target* stands in the settle currency of *place*."""
        currency = self.currency_of[place.instrument_id]
        runs = self.runs_in(target.key, currency)
        pnl = self.results.get((target.key, currency), _NOTHING)
        exits = [each for run in runs for each in self.exits.get(run.pk, ())]
        exits.sort(key=lambda each: each[1].at)
        return Standing(
            capital=sum((run.capital for run in runs if run.is_at_work), _NOTHING),
            pnl=pnl,
            day_pnl=pnl if mark is None else mark.day_pnl,
            peak_pnl=pnl if mark is None else mark.peak_pnl,
            exposure=self._exposure(runs),
            open_positions=len(self._places(runs)),
            open_orders=sum(len(self.entries.get(run.pk, ())) for run in runs),
            exits=[each for _, each in exits],
            exits_here=[each for where, each in exits if where == place.instrument_id],
        )

    def places_of(self, target: LimitedTarget, place: Place) -> set[tuple[int, int]]:
        """Return where *target* holds something, or is about to, in the settle currency of *place*."""
        return self._places(self.runs_in(target.key, self.currency_of[place.instrument_id]))

    def runs_in(self, key: str, currency: str) -> list[Run]:
        """Return the deployments of a target that trade in a settle currency."""
        return [run for run in self.runs[key] if self.traded_in.get(run.pk) == currency]

    def _places(self, runs: Iterable[Run]) -> set[tuple[int, int]]:
        held = set()
        for run in runs:
            for row in self.positions.get(run.pk, ()):
                if row["quantity"]:
                    held.add((run.pk, row["instrument_id"]))
            held |= {(run.pk, where) for where, _ in self.entries.get(run.pk, ())}
        return held

    def _exposure(self, runs: Iterable[Run]) -> Decimal:
        total = _NOTHING
        for run in runs:
            total += sum((row["notional"] for row in self.positions.get(run.pk, ())), _NOTHING)
            total += sum((worth for _, worth in self.entries.get(run.pk, ())), _NOTHING)
        return total


def read(targets: Collection[LimitedTarget], *, places: Sequence[Place], now: datetime) -> Facts:
    """Return what is known of *targets*, of all the deployments that they consist of."""
    rows = list(
        Deployment.objects.filter(_of(targets)).values_list(
            "pk",
            "account_id",
            "owner_id",
            "capital",
            "actual_state",
            "instruments__instrument_id",
            "timeframe",
        )
    )
    wanted = {place.instrument_id for place in places} | {row[5] for row in rows if row[5]}
    facts = Facts(currency_of=instruments.settle_currencies(wanted))
    runs = {}
    for pk, account_id, owner_id, capital, state, instrument_id, timeframe in rows:
        runs[pk] = Run(pk, account_id, owner_id, capital, state not in IDLE_STATES, timeframe)
        if instrument_id is not None:
            facts.traded_in[pk] = facts.currency_of[instrument_id]
    facts.positions = _positions(runs)
    facts.entries = _entries(runs)
    facts.exits = _exits(runs, now)
    for target in targets:
        facts.runs[target.key] = [run for run in runs.values() if _belongs(run, target)]
        for run in facts.runs[target.key]:
            if run.pk in facts.traded_in:
                place = (target.key, facts.traded_in[run.pk])
                earned = sum((row["net"] for row in facts.positions.get(run.pk, ())), _NOTHING)
                facts.results[place] = facts.results.get(place, _NOTHING) + earned
    return facts


def _of(targets: Collection[LimitedTarget]) -> Q:
    people = [each.owner_id for each in targets if each.scope == RestrictionScope.PERSON]
    accounts = [each.account_id for each in targets if each.scope == RestrictionScope.ACCOUNT]
    own = [each.deployment_id for each in targets if each.scope == RestrictionScope.DEPLOYMENT]
    return Q(owner_id__in=people) | Q(account_id__in=accounts) | Q(pk__in=own)


def _belongs(run: Run, target: LimitedTarget) -> bool:
    if target.deployment_id is not None:
        return run.pk == target.deployment_id
    if target.account_id is not None:
        return run.account_id == target.account_id
    return run.owner_id == target.owner_id


def _positions(runs: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    price = Coalesce("last_price", "average_price")
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in DeploymentPosition.objects.filter(deployment_id__in=runs).values(
        "deployment_id",
        "instrument_id",
        "quantity",
        price=price,
        notional=Abs(F("quantity")) * price,
        net=F("realized_pnl")
        - F("fees")
        + F("funding")
        + F("quantity") * (price - F("average_price")),
    ):
        found[row["deployment_id"]].append(dict(row))
    return found


def _entries(runs: Collection[int]) -> dict[int, list[tuple[int, Decimal]]]:
    """Return the entries that may still fill, with what is left of them in quote."""
    working = Order.objects.filter(
        deployment_id__in=runs,
        reduce_only=False,
        status__in=[status.value for status in WORKING],
    )
    found: dict[int, list[tuple[int, Decimal]]] = defaultdict(list)
    for deployment_id, instrument_id, left, price in working.values_list(
        "deployment_id",
        "instrument_id",
        F("quantity") - F("filled_quantity"),
        Coalesce("price", "trigger_price", "intent__decided_price"),
    ):
        found[deployment_id].append((instrument_id, left * (price or _NOTHING)))
    return found


def _exits(runs: Collection[int], now: datetime) -> dict[int, list[tuple[int, Exit]]]:
    """Return what was closed within the memory of the guards, one for each order that closed it."""
    fills = (
        Fill.objects.filter(
            deployment_id__in=runs,
            order__reduce_only=True,
            recorded_at__gt=now - LONGEST_MEMORY,
        )
        .values("deployment_id", "instrument_id", "order_id", "order__leg")
        .annotate(
            at=Max("venue_at"),
            result=Sum(F("realized_pnl") - Coalesce("fee_in_quote", _NOTHING)),
        )
        .order_by("at", "order_id")
    )
    found: dict[int, list[tuple[int, Exit]]] = defaultdict(list)
    for row in fills:
        closed = Exit(row["at"], row["result"], is_stop=row["order__leg"] == Leg.STOP)
        found[row["deployment_id"]].append((row["instrument_id"], closed))
    return found
