"""Intent, order, transition, fill.

Every index is written with every row, so a foreign key has none of its own (``db_index=False``)
where a longer index or a unique constraint begins with it.
"""

import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.choices import choices_of
from foundation.fields import money_field
from market.enums import Leg, Liquidity, OrderActor, OrderStatus, OrderType, Proof, Side
from trading.models.deployments import Deployment, DeploymentRevision
from trading.models.guards import ORDER_STEPS, Guard


class IntentStatus(models.TextChoices):
    """Where our decision to order stands."""

    NEW = "NEW", "New"
    DENIED = "DENIED", "Denied by our limits"
    ORDERED = "ORDERED", "Ordered"
    SUPERSEDED = "SUPERSEDED", "Superseded"


class OrderIntent(models.Model):
    """Our decision to order, before any venue knows; it acts at most once."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(
        Deployment, db_index=False, on_delete=models.PROTECT, related_name="intents"
    )
    revision = models.ForeignKey(DeploymentRevision, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    decision_key = models.CharField(max_length=200)
    entry = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="followers",
        help_text="The entry whose position this protects, adds to or closes.",
    )
    step = models.PositiveSmallIntegerField(
        default=0, help_text="Which target (from 0) or order of a ladder (from 1)."
    )
    leg = models.CharField(max_length=10, choices=choices_of(Leg))
    side = models.CharField(max_length=4, choices=choices_of(Side))
    order_type = models.CharField(max_length=20, choices=choices_of(OrderType))
    quantity = money_field()
    price = money_field(null=True, blank=True)
    trigger_price = money_field(null=True, blank=True)
    reduce_only = models.BooleanField(default=False)
    stop_percent = models.FloatField(default=0, help_text="Of the average fill; 0 is none.")
    target_percent = models.FloatField(default=0, help_text="Of the average fill; 0 is none.")
    decided_price = money_field(
        null=True,
        blank=True,
        help_text="The price at the decision, against which slippage is measured.",
    )
    bar_close_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=12, choices=IntentStatus, default=IntentStatus.NEW)
    reason_code = models.CharField(max_length=60, blank=True)
    epoch = models.BigIntegerField()
    not_before = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "decision_key"], name="intent_once_per_decision"
            ),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="intent_has_quantity"),
        ]
        indexes = [
            models.Index(
                fields=["account", "not_before"],
                name="intents_due",
                condition=models.Q(status="NEW"),
            ),
            models.Index(
                fields=["deployment"],
                name="intents_waiting",
                condition=models.Q(status="NEW"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.decision_key}"


class Order(models.Model):
    """One instruction sent, or being sent, to a venue; a row for each attempt."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, db_index=False, on_delete=models.PROTECT, related_name="+"
    )
    intent = models.ForeignKey(
        OrderIntent, db_index=False, on_delete=models.PROTECT, related_name="orders"
    )
    attempt = models.PositiveSmallIntegerField(default=0)
    deployment = models.ForeignKey(
        Deployment, db_index=False, on_delete=models.PROTECT, related_name="orders"
    )
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", db_index=False, on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    client_order_id = models.CharField(max_length=64)
    venue_order_id = models.CharField(max_length=64, blank=True)
    leg = models.CharField(max_length=10, choices=choices_of(Leg))
    side = models.CharField(max_length=4, choices=choices_of(Side))
    order_type = models.CharField(max_length=20, choices=choices_of(OrderType))
    quantity = money_field()
    price = money_field(null=True, blank=True)
    trigger_price = money_field(null=True, blank=True)
    reduce_only = models.BooleanField(default=False)
    filled_quantity = money_field(default=0)
    average_price = money_field(null=True, blank=True)
    status = models.CharField(
        max_length=20, choices=choices_of(OrderStatus), default=OrderStatus.SUBMITTING.value
    )
    reason_code = models.CharField(max_length=60, blank=True)
    reason_message = models.CharField(max_length=300, blank=True)
    submitted_at = models.DateTimeField()
    venue_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    absent_lookups = models.PositiveSmallIntegerField(default=0)
    last_lookup_at = models.DateTimeField(null=True, blank=True)
    active_at = models.DateTimeField(
        null=True, blank=True, help_text="When it last took a step or filled, by our clock."
    )
    balance_before = models.JSONField(
        default=dict,
        blank=True,
        help_text="What the account held before it was sent, against which its absence is proven.",
    )
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # Whoever writes a status says here who takes the step, and on what. The database checks it
    # against the table of steps, keeps it as a row of OrderTransition, and empties the columns: the
    # next step has to say it again.
    step_actor = models.CharField(max_length=12, blank=True, editable=False)
    step_proof = models.CharField(max_length=14, blank=True, editable=False)
    step_evidence = models.JSONField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["intent", "attempt"], name="order_once_per_attempt"),
            models.UniqueConstraint(
                fields=["account", "client_order_id"], name="client_order_id_once"
            ),
            models.UniqueConstraint(
                fields=["account", "instrument", "venue_order_id"],
                condition=~models.Q(venue_order_id=""),
                name="venue_order_once",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=["ACCEPTED", "PARTIALLY_FILLED", "FILLED"])
                | ~models.Q(venue_order_id=""),
                name="accepted_order_has_venue_id",
            ),
        ]
        indexes = [
            models.Index(fields=["deployment", "-id"], name="orders_of_deployment"),
            models.Index(fields=["owner", "-id"], name="orders_of_owner"),
            models.Index(fields=["owner", "status", "-id"], name="orders_of_owner_by_status"),
            models.Index(fields=["instrument", "owner", "-id"], name="orders_in_market"),
            models.Index(fields=["submitted_at"], name="orders_by_time"),
            models.Index(
                fields=["submitted_at"],
                name="orders_sent_twice",
                condition=models.Q(reason_code__in=["duplicate_order_id", "second_order"]),
            ),
            models.Index(
                fields=["deployment"],
                name="orders_working",
                condition=models.Q(
                    status__in=[
                        "SUBMITTING",
                        "UNKNOWN",
                        "ACCEPTED",
                        "PARTIALLY_FILLED",
                        "PENDING_CANCEL",
                    ]
                ),
            ),
            models.Index(
                fields=["account", "next_check_at"],
                name="orders_unfinished",
                condition=models.Q(
                    status__in=[
                        "SUBMITTING",
                        "UNKNOWN",
                        "ACCEPTED",
                        "PARTIALLY_FILLED",
                        "PENDING_CANCEL",
                        "ABANDONED",
                    ]
                ),
            ),
        ]
        triggers = [Guard(name="lawful_steps", steps=ORDER_STEPS)]

    def __str__(self) -> str:
        return self.client_order_id


class OrderTransition(models.Model):
    """One step of an order, with the evidence for it; the database writes it with the step."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="transitions")
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20, choices=choices_of(OrderStatus))
    actor = models.CharField(max_length=40, choices=choices_of(OrderActor))
    proof = models.CharField(
        max_length=14,
        blank=True,
        choices=choices_of(Proof),
        help_text="The kind of evidence; empty for what was heard and changed nothing.",
    )
    evidence = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.from_status} → {self.to_status}"


class Fill(models.Model):
    """One execution; unique by the venue's trade id, never changed."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, db_index=False, on_delete=models.PROTECT, related_name="+"
    )
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    deployment = models.ForeignKey(
        Deployment, db_index=False, on_delete=models.PROTECT, related_name="fills"
    )
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", db_index=False, on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    venue_trade_id = models.CharField(max_length=64)
    side = models.CharField(max_length=4, choices=choices_of(Side))
    quantity = money_field()
    price = money_field()
    fee = money_field(default=0, help_text="In the fee's own currency.")
    fee_currency = models.CharField(max_length=20, blank=True)
    fee_in_quote = money_field(
        null=True,
        blank=True,
        help_text="The fee in the settle currency; empty if nobody knows what it was worth.",
    )
    realized_pnl = money_field(default=0, help_text="What this fill settled, before fees.")
    liquidity = models.CharField(max_length=5, choices=choices_of(Liquidity))
    is_manual = models.BooleanField(default=False)
    venue_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "instrument", "venue_trade_id", "side"], name="fill_once"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0, price__gt=0), name="fill_is_positive"
            ),
        ]
        indexes = [
            models.Index(fields=["deployment", "-id"], name="fills_of_deployment"),
            models.Index(fields=["owner", "-id"], name="fills_of_owner"),
            models.Index(fields=["account", "recorded_at"], name="fills_of_account"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} @ {self.price}"
