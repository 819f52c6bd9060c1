"""The pages of trading that are looked at in a browser."""

from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from exchanges.models import AccountKind
from foundation.audit import Actor
from strategies.services import catalogue
from tests.factories import billing
from tests.factories import trading as factory
from tests.trading.rows import (
    copy_deployment,
    make_traded_deployment,
    send_more_orders,
    someone_elses_order,
)
from tests.trading.telling import carry_out
from tests.web.pages import PageCase
from trading.services import limits, live_drift, operators, restrictions


def _list(person: User) -> str:
    make_traded_deployment(person)
    return reverse("trading:list")


def _live(person: User) -> str:
    return _detail(person, AccountKind.LIVE)


def _paper(person: User) -> str:
    return _detail(person, AccountKind.PAPER)


def _detail(person: User, kind: AccountKind) -> str:
    traded = make_traded_deployment(person, kind=kind)
    return reverse("trading:detail", args=[traded.deployment.public_id])


def _stopped_by_an_operator(person: User) -> str:
    traded = make_traded_deployment(person, stop_policy="PROTECT")
    operators.force_stop(
        deployment_id=traded.deployment.pk,
        by=Actor.system("test-operator"),
        now=traded.now,
        note="More orders an hour than this installation allows anybody to send.",
    )
    carry_out(now=traded.now)
    return reverse("trading:detail", args=[traded.deployment.public_id])


def _new(person: User) -> str:
    url = _new_without_subscription(person)
    billing.subscribe(person, "ema-crossover")
    return url


def _new_without_subscription(person: User) -> str:
    now = timezone.now()
    catalogue.sync_catalogue(now=now)
    instrument = factory.make_memory_instrument()
    factory.make_account(person, instrument, kind=AccountKind.LIVE, now=now)
    factory.make_account(person, instrument, kind=AccountKind.PAPER, now=now)
    return reverse("trading:new")


def _change(person: User) -> str:
    traded = make_traded_deployment(person)
    return reverse("trading:change", args=[traded.deployment.public_id])


def _draft(person: User) -> str:
    instrument = factory.make_memory_instrument()
    now = timezone.now()
    account = factory.make_account(person, instrument, kind=AccountKind.LIVE, now=now)
    draft = factory.make_deployment(account, now=now, is_started=False, starts=False)
    return reverse("trading:detail", args=[draft.public_id])


def _decisions(person: User) -> str:
    traded = make_traded_deployment(person)
    return reverse("trading:decisions", args=[traded.deployment.public_id])


def _decisions_of_a_draft(person: User) -> str:
    return _draft(person) + "decisions/"


def _many(person: User) -> str:
    """Hundreds of deployments that have ended, beside one at work."""
    traded = make_traded_deployment(person)
    copy_deployment(traded.deployment, times=499)
    return reverse("trading:list")


def _positions(person: User) -> str:
    _many(person)
    return reverse("trading:positions")


def _orders(person: User) -> str:
    traded = make_traded_deployment(person)
    send_more_orders(traded, times=60)
    someone_elses_order(traded)
    return reverse("trading:orders")


def _external_orders(person: User) -> str:
    traded = make_traded_deployment(person)
    for number in range(12):
        someone_elses_order(traded, client_order_id=f"by-hand-{number}")
    return reverse("trading:external-orders")


def _drift_not_asked_for(person: User) -> str:
    traded = make_traded_deployment(person)
    return reverse("trading:drift", args=[traded.deployment.public_id])


def _drift(person: User) -> str:
    traded = make_traded_deployment(person)
    report = live_drift.request_report(
        owner=person,
        deployment_public_id=traded.deployment.public_id,
        by=Actor.person(person.pk),
        now=traded.now,
    )
    live_drift.compute_report(report_id=report.pk, now=traded.now)
    return reverse("trading:drift", args=[traded.deployment.public_id])


def _protections(person: User) -> str:
    """A page with states in force, limits, and a history of fifty."""
    traded = make_traded_deployment(person)
    mine = restrictions.of_deployment(traded.deployment)
    by = Actor.person(person.pk)
    for number in range(51):
        restrictions.set_by_hand(
            target=mine,
            state="HALTED" if number % 2 else "REDUCING",
            reason="The market behaves in a way that I have not seen before.",
            by=by,
            is_operator=False,
            now=traded.now,
        )
    limits.save_limits(
        target=mine,
        owner_id=person.pk,
        values={"max_daily_loss_percent": "2.5", "max_open_positions": "3"},
        by=by,
        now=traded.now,
    )
    return reverse("trading:protections")


def _limits(person: User) -> str:
    make_traded_deployment(person)
    return reverse("trading:limits")


def _dashboard(person: User) -> str:
    make_traded_deployment(person)
    return reverse("web:dashboard")


PAGES = [
    PageCase("deployments", _list),
    PageCase("deployments-empty", lambda person: reverse("trading:list")),
    PageCase("deployment-live", _live),
    PageCase("deployment-paper", _paper),
    PageCase("deployment-stopped-by-an-operator", _stopped_by_an_operator),
    PageCase("deployments-many", _many),
    PageCase("deployments-nothing-fits", lambda person: _list(person) + "?state=FAILED"),
    PageCase("positions", _positions),
    PageCase("positions-empty", lambda person: reverse("trading:positions")),
    PageCase("orders", _orders),
    PageCase("orders-empty", lambda person: reverse("trading:orders")),
    PageCase("external-orders", _external_orders),
    PageCase("external-orders-empty", lambda person: reverse("trading:external-orders")),
    PageCase("decisions", _decisions),
    PageCase("decisions-empty", _decisions_of_a_draft),
    PageCase("drift", _drift),
    PageCase("drift-empty", _drift_not_asked_for),
    PageCase("deployment-change", _change),
    PageCase("deployment-draft", _draft),
    PageCase("deployment-new", _new),
    PageCase("deployment-new-unsubscribed", _new_without_subscription),
    PageCase("deployment-new-empty", lambda person: reverse("trading:new")),
    PageCase("protections", _protections),
    PageCase("protections-empty", lambda person: reverse("trading:protections")),
    PageCase("limits", _limits),
    PageCase("dashboard-trading", _dashboard),
]
