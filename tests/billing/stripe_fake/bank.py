"""What the stand-in knows and does: sessions, payments, charges, refunds, events."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from threading import RLock
from typing import Any, Final, TypeAlias

Row: TypeAlias = dict[str, Any]

#: Stripe's usual price, 2.9 % and 30 cents, in thousandths.
_FEE_PER_MILLE: Final = 29
_FEE_FIXED: Final = 30
_FEE_OF_DISPUTE: Final = 1_500


class RefusedError(Exception):
    """An error as Stripe answers it."""

    def __init__(self, status: int, message: str, *, code: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body: Row = {
            "error": {
                "type": kind or "invalid_request_error",
                "message": message,
                **({"code": code} if code else {}),
            }
        }


@dataclass
class FakeStripe:
    """One account at Stripe. What the payer, the bank or an operator does there are the public methods."""

    livemode: bool = False
    webhook_secret: str = "whsec_" + "f" * 32
    sessions: dict[str, Row] = field(default_factory=dict)
    intents: dict[str, Row] = field(default_factory=dict)
    charges: dict[str, Row] = field(default_factory=dict)
    transactions: dict[str, Row] = field(default_factory=dict)
    refunds: dict[str, Row] = field(default_factory=dict)
    disputes: dict[str, Row] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    #: The status of new refunds: a bank may work on one for days.
    refunds_begin_as: str = "succeeded"
    #: Whether what a charge costs is known at once.
    is_fee_known: bool = True
    #: The currency of the account, and how much of it one unit of another currency is.
    account_currency: str = "usd"
    exchange_rate: float = 1.0
    lock: RLock = field(default_factory=RLock, repr=False)
    _numbers: Any = field(default_factory=lambda: count(1), repr=False)

    def create_session(self, params: Mapping[str, Any], *, address: str) -> Row:
        """Open a session for one line of given amount."""
        lines = params.get("line_items") or {}
        if params.get("mode") != "payment" or list(lines) != ["0"]:
            raise RefusedError(400, "This stand-in knows sessions of one payment only.")
        price = lines["0"]["price_data"]
        units = _whole(price.get("unit_amount"))
        if units < 50 and price["currency"] == "usd":
            raise RefusedError(
                400, "The total amount due must add up to at least $0.50.", code="amount_too_small"
            )
        if not price["product_data"]["name"] or "@" not in params.get("customer_email", "a@b"):
            raise RefusedError(400, "Invalid parameters.", code="parameter_invalid")
        session_id = self._id("cs_live" if self.livemode else "cs_test")
        session = {
            "id": session_id,
            "object": "checkout.session",
            "created": int(time.time()),
            "expires_at": int(time.time()) + 86_400,
            "mode": "payment",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "amount_total": units * _whole(lines["0"].get("quantity", "1")),
            "currency": price["currency"],
            "livemode": self.livemode,
            "client_reference_id": params.get("client_reference_id"),
            "customer_email": params.get("customer_email"),
            "metadata": dict(params.get("metadata") or {}),
            "success_url": params["success_url"],
            "cancel_url": params["cancel_url"],
            "url": f"{address}/c/pay/{session_id}",
        }
        self.sessions[session_id] = session
        intent_data = params.get("payment_intent_data") or {}
        session["_intent_metadata"] = dict(intent_data.get("metadata") or {})
        return session

    def pay(self, session_id: str) -> Row:
        """Pay a session by card, as a person does on its page."""
        with self.lock:
            session = self._session(session_id, "open")
            intent = self._intent(session, status="succeeded")
            self._charge(intent)
            session |= {"status": "complete", "payment_status": "paid", "url": None}
            return self.event_about(session, kind="checkout.session.completed")

    def pay_later(self, session_id: str) -> Row:
        """Pay a session in a way that a bank confirms days later."""
        with self.lock:
            session = self._session(session_id, "open")
            self._intent(session, status="processing")
            session |= {"status": "complete", "url": None}
            return self.event_about(session, kind="checkout.session.completed")

    def confirm(self, session_id: str) -> Row:
        """Let the bank say yes to what was paid later."""
        with self.lock:
            session = self._session(session_id, "complete")
            intent = self.intents[session["payment_intent"]]
            intent["status"] = "succeeded"
            self._charge(intent)
            session["payment_status"] = "paid"
            return self.event_about(session, kind="checkout.session.async_payment_succeeded")

    def decline(self, session_id: str, code: str = "payment_intent_payment_attempt_failed") -> Row:
        """Let the bank say no to what was paid later."""
        with self.lock:
            session = self._session(session_id, "complete")
            intent = self.intents[session["payment_intent"]]
            intent["status"] = "requires_payment_method"
            intent["last_payment_error"] = {"code": code, "type": "card_error"}
            return self.event_about(session, kind="checkout.session.async_payment_failed")

    def expire(self, session_id: str) -> Row:
        """Let a session run out."""
        with self.lock:
            session = self._session(session_id, "open")
            session |= {"status": "expired", "url": None}
            return self.event_about(session, kind="checkout.session.expired")

    def know_fee(self, session_id: str) -> Row:
        """Make known what a charge costs, which may be later than the payment."""
        with self.lock:
            charge = self.charges[self.intents[self._intent_id(session_id)]["latest_charge"]]
            self._book(charge)
            return self.event_about(charge, kind="charge.updated")

    def give_back(
        self, intent_id: str, units: int | None = None, metadata: Mapping[str, str] | None = None
    ) -> Row:
        """Give money back; an operator may do so on Stripe's own pages."""
        with self.lock:
            intent = self.intents.get(intent_id)
            if intent is None:
                raise RefusedError(404, "No such payment_intent.", code="resource_missing")
            if not intent["latest_charge"]:
                raise RefusedError(400, "This payment has no successful charge to refund.")
            charge = self.charges[intent["latest_charge"]]
            left = charge["amount"] - charge["amount_refunded"]
            units = left if units is None else units
            if left == 0:
                raise RefusedError(400, "Already refunded.", code="charge_already_refunded")
            if not 0 < units <= left:
                raise RefusedError(400, f"Refund amount is greater than unrefunded: {left}.")
            refund = {
                "id": self._id("re"),
                "object": "refund",
                "amount": units,
                "currency": charge["currency"],
                "payment_intent": intent_id,
                "charge": charge["id"],
                "created": int(time.time()),
                "metadata": dict(metadata or {}),
                "status": self.refunds_begin_as,
            }
            self.refunds[refund["id"]] = refund
            charge["amount_refunded"] += units
            charge["refunded"] = charge["amount_refunded"] == charge["amount"]
            self.event_about(charge, kind="charge.refunded")
            return refund

    def finish_refund(self, refund_id: str, status: str = "succeeded") -> Row:
        """Let a bank finish a refund that it worked on."""
        with self.lock:
            refund = self.refunds[refund_id]
            refund["status"] = status
            if status != "succeeded":
                self.charges[refund["charge"]]["amount_refunded"] -= refund["amount"]
            kind = "refund.updated" if status == "succeeded" else "refund.failed"
            return self.event_about(refund, kind=kind)

    def dispute(
        self, session_id: str, units: int | None = None, *, is_inquiry: bool = False
    ) -> Row:
        """Let the payer complain to their bank, which takes the money back at once unless it only asks."""
        with self.lock:
            intent = self.intent_of(session_id)
            charge = self.charges[intent["latest_charge"]]
            dispute = {
                "id": self._id("du"),
                "object": "dispute",
                "amount": charge["amount"] if units is None else units,
                "currency": charge["currency"],
                "charge": charge["id"],
                "payment_intent": intent["id"],
                "status": "warning_needs_response" if is_inquiry else "needs_response",
                "balance_transactions": [],
            }
            self.disputes[dispute["id"]] = dispute
            charge["disputed"] = True
            if not is_inquiry:
                self._move(dispute, -dispute["amount"], fee=_FEE_OF_DISPUTE)
            self.event_about(dispute, kind="charge.dispute.created")
            return dispute

    def decide(self, dispute_id: str, status: str) -> Row:
        """Let the bank decide: ``won`` brings the money back, ``lost`` does not."""
        with self.lock:
            dispute = self.disputes[dispute_id]
            dispute["status"] = status
            if status == "won":
                self._move(dispute, dispute["amount"], fee=0)
            return self.event_about(dispute, kind="charge.dispute.closed")

    def _move(self, dispute: Row, units: int, *, fee: int) -> None:
        dispute["balance_transactions"].append(
            {
                "id": self._id("txn"),
                "object": "balance_transaction",
                "amount": units,
                "currency": dispute["currency"],
                "fee": fee,
            }
        )

    def event_about(self, subject: Row, *, kind: str) -> Row:
        """Note that something has happened, and return what is told of it."""
        event = {
            "id": self._id("evt"),
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(time.time()),
            "livemode": self.livemode,
            "type": kind,
            "data": {"object": shown(subject)},
        }
        self.events.append(event)
        return event

    def intent_of(self, session_id: str) -> Row:
        """Return the payment of a session."""
        return self.intents[self._intent_id(session_id)]

    def notice(
        self, event: Row, *, secret: str | None = None, at: int | None = None
    ) -> tuple[bytes, str]:
        """Return the body of the notice of an event, and its ``Stripe-Signature``."""
        body = json.dumps(event, separators=(",", ":")).encode()
        return body, self.sign(body, secret=secret, at=at)

    def sign(self, body: bytes, *, secret: str | None = None, at: int | None = None) -> str:
        """Return what proves a body; besides ``v1`` Stripe sends a ``v0`` that proves nothing."""
        stamp = int(time.time()) if at is None else at
        key = (self.webhook_secret if secret is None else secret).encode()
        proof = hmac.new(key, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return f"t={stamp},v1={proof},v0={'6' * 64}"

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):024d}"

    def _session(self, session_id: str, status: str) -> Row:
        session = self.sessions[session_id]
        if session["status"] != status:
            raise RefusedError(400, f"The session is {session['status']}.")
        return session

    def _intent_id(self, session_id: str) -> str:
        return str(self.sessions[session_id]["payment_intent"])

    def _intent(self, session: Row, *, status: str) -> Row:
        intent = {
            "id": self._id("pi"),
            "object": "payment_intent",
            "amount": session["amount_total"],
            "amount_received": 0,
            "currency": session["currency"],
            "livemode": self.livemode,
            "status": status,
            "latest_charge": None,
            "last_payment_error": None,
            "metadata": session["_intent_metadata"],
        }
        self.intents[intent["id"]] = intent
        session["payment_intent"] = intent["id"]
        return intent

    def _charge(self, intent: Row) -> None:
        charge = {
            "id": self._id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_refunded": 0,
            "refunded": False,
            "disputed": False,
            "currency": intent["currency"],
            "created": int(time.time()),
            "livemode": self.livemode,
            "payment_intent": intent["id"],
            "balance_transaction": None,
            "metadata": dict(intent["metadata"]),
            "status": "succeeded",
        }
        self.charges[charge["id"]] = charge
        intent |= {"latest_charge": charge["id"], "amount_received": intent["amount"]}
        if self.is_fee_known:
            self._book(charge)

    def _book(self, charge: Row) -> None:
        is_changed = charge["currency"] != self.account_currency
        credited = round(charge["amount"] * (self.exchange_rate if is_changed else 1))
        transaction = {
            "id": self._id("txn"),
            "object": "balance_transaction",
            "amount": credited,
            "currency": self.account_currency,
            "fee": round(credited * _FEE_PER_MILLE / 1_000) + _FEE_FIXED,
            "exchange_rate": self.exchange_rate if is_changed else None,
        }
        self.transactions[transaction["id"]] = transaction
        charge["balance_transaction"] = transaction["id"]


def shown(row: Row) -> Row:
    """Return a row as Stripe shows it, a copy without what only the stand-in knows."""
    public: Row = json.loads(json.dumps({k: v for k, v in row.items() if not k.startswith("_")}))
    return public


def _whole(text: Any) -> int:
    try:
        return int(str(text))
    except ValueError:
        raise RefusedError(
            400, f"Invalid integer: {text}", code="parameter_invalid_integer"
        ) from None
