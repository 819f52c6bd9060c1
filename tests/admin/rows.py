"""Rows in as many tables as operators have lists of, with names that people could choose to do harm."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import uuid4

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import Mail, Notification, PersonalToken, RefreshFamily, User
from billing.domain.payments import DisputeState
from billing.providers.protocol import ProviderDispute
from billing.services import dispute_bookings, ledger_checks, payments
from exchanges import models as exchanges
from exchanges.models import AccountKind, Credential, ExchangeAccount
from exchanges.services import candles as candle_store
from exchanges.services.candles import SeriesBars
from foundation.audit import Actor
from foundation.crypto import seal
from foundation.events import publish
from foundation.models import EventReceipt, Heartbeat, IdempotentRequest, OutboxEvent
from market.timeframes import Timeframe
from referrals.models import Payout
from referrals.services import commissions
from strategies.models import Strategy
from tests.billing.buying import buy, give_back, make_price
from tests.factories import billing, referrals
from tests.factories import trading as trading_factory
from tests.factories.accounts import give_second_factor, make_person
from tests.factories.backtesting import make_done_run
from tests.factories.evidence import make_evidence
from tests.factories.exchanges import make_candles
from tests.trading.rows import make_traded_deployment
from trading.models import Reservation

#: A name that is markup; it may be shown, never as markup.
HOSTILE: Final = "<img src=x onerror=alert(1)>"
#: What the row of a person's key is sealed from, and what stands in columns that prove something.
CANARY: Final = "canary-4f1c9be2"
_JANUARY: Final = datetime(2024, 1, 1, tzinfo=UTC)


def make_rows() -> User:
    """Return a person with a row in nearly every table."""
    person = make_person("mallory@example.com", display_name=HOSTILE, bio=HOSTILE)
    give_second_factor(person)
    _access(person)
    billing.with_plan(person)
    make_evidence()
    billing.set_price()
    billing.give(person, now=timezone.now())
    make_done_run(person)
    _trading(person)
    _money(person)
    Strategy.objects.update(name=HOSTILE, summary=HOSTILE)
    _candles()
    _foundation(person)
    _referrals(person)
    return person


def _money(person: User) -> None:
    """A payment of which a part went back and the bank has taken another."""
    now = timezone.now()
    payment = buy(person, make_price("plan:pro"), now=now)
    give_back(payment, "5", now=now)
    taken = ProviderDispute("du_1", Decimal(3), DisputeState.OPEN, fee=Decimal(15))
    with transaction.atomic():
        dispute_bookings.book_known(
            payments.lock_payment(payment.pk), known=[taken], by=Actor.system("test"), now=now
        )
    ledger_checks.verify(now=now)


def _access(person: User) -> None:
    now = timezone.now()
    session = Session.objects.create(
        session_key=f"{CANARY}-session", session_data="", expire_date=now + timedelta(days=1)
    )
    UserSession.objects.create(
        user=person, session_key=session.session_key, ip="192.0.2.7", user_agent=HOSTILE
    )
    PersonalToken.objects.create(
        owner=person,
        name=HOSTILE,
        prefix="tp_abcdef",
        secret_hash=f"{CANARY}-token",
        scopes=["read:market"],
        expires_at=now + timedelta(days=1),
    )
    RefreshFamily.objects.create(
        owner=person,
        current_jti_hash=f"{CANARY}-jti",
        user_agent=HOSTILE,
        last_used_at=now,
        expires_at=now + timedelta(days=1),
    )
    Notification.objects.create(
        owner=person, key="x", kind="SECURITY", level="INFO", title=HOSTILE, body=HOSTILE
    )
    Mail.objects.create(owner=person, recipient=person.email, kind="verify_address")


def _trading(person: User) -> None:
    billing.subscribe(person, now=timezone.now())
    traded = make_traded_deployment(person, kind=AccountKind.LIVE, name="Crossover")
    traded.deployment.name = HOSTILE
    traded.deployment.save(update_fields=["name"])
    account = ExchangeAccount.objects.get(pk=traded.deployment.account_id)
    account.label = HOSTILE
    account.save(update_fields=["label"])
    credential = Credential(owner=person, account=account, version=9, last_four="9be2")
    credential.sealed_api_key = seal(f"{CANARY}-key", credential.context("api_key"))
    credential.sealed_secret = seal(f"{CANARY}-secret", credential.context("secret"))
    credential.save()
    exchanges.Balance.objects.get_or_create(
        account=account,
        currency="DOGE",
        defaults={"owner": person, "free": 1, "used": 0, "venue_at": timezone.now()},
    )
    intent = trading_factory.make_intent(
        traded.deployment, traded.instrument, now=timezone.now(), key="reserving"
    )
    Reservation.objects.get_or_create(
        intent=intent,
        defaults={
            "owner": person,
            "account": account,
            "currency": "USDT",
            "amount": Decimal(1),
        },
    )


def _candles() -> None:
    instrument = exchanges.Instrument.objects.filter(venue__code="binance").get()
    exchanges.InstrumentRules.objects.create(
        instrument=instrument,
        valid_from=_JANUARY,
        tick_size=Decimal("0.01"),
        lot_step=Decimal("0.001"),
        minimum_quantity=Decimal("0.001"),
        minimum_notional=Decimal(5),
        contract_size=Decimal(1),
    )
    late = make_candles([100.0] * 3, first_open_ms=1_735_689_600_000)
    with transaction.atomic():
        candle_store.append_closed(
            timeframe=Timeframe.H1, batches=[SeriesBars(instrument.pk, late)]
        )
    exchanges.CandleImport.objects.create(
        venue=instrument.venue,
        instrument=instrument,
        timeframe="1h",
        file_name=HOSTILE,
        sha256="0" * 64,
        row_count=3,
        added=3,
        revised=0,
        missing=0,
    )


def _referrals(person: User) -> None:
    commission = referrals.earn(person)
    payout = referrals.ask(person)
    Payout.objects.filter(pk=payout.pk).update(destination=HOSTILE, note=HOSTILE)
    commissions.take_back(
        refund_id=1,
        payment_id=commission.payment_id,
        referred_id=commission.attribution.referred_id,
        currency=commission.currency,
        total_refunded=Decimal(5),
        refunded_at=referrals.PAYABLE_AT,
    )


def _foundation(person: User) -> None:
    with transaction.atomic():
        publish("accounts.person-registered", occurred_at=timezone.now(), owner_id=person.pk)
    event = OutboxEvent.objects.latest("pk")
    EventReceipt.objects.create(event=event, subscriber="tests")
    Heartbeat.objects.update_or_create(process="beat", defaults={"beat_at": timezone.now()})
    IdempotentRequest.objects.create(
        owner=person,
        route="trading:deployments",
        key=uuid4(),
        body_hash=f"{CANARY}-body",
        answer={"secret": f"{CANARY}-answer"},
        requested_at=timezone.now(),
    )
    interval = IntervalSchedule.objects.create(every=10, period="seconds")
    PeriodicTask.objects.create(name="sweep", task="backtesting.sweep", interval=interval)
