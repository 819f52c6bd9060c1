"""Calls of Stripe through its library, and what their failures mean.

The only module that imports the library, which takes a second to load: whoever calls nothing (a web
process takes notices, but asks nobody) never loads it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import stripe
from stripe.params import RefundCreateParams
from stripe.params.checkout import SessionCreateParams

from billing.providers.protocol import (
    ProviderError,
    ProviderNotConfiguredError,
    ProviderRejectedError,
    ProviderUnavailableError,
    UnknownReferenceError,
)

# Figures about this machine and about earlier calls are nobody's business.
stripe.enable_telemetry = False

#: To connect, and to wait for an answer; the three calls of a fetch or a refund fit into a task's time.
TIMEOUTS_S: Final = (2.0, 6.0)

#: What a session needs to tell everything about its payment.
_EXPANDED: Final = ["payment_intent.latest_charge.balance_transaction"]
_REFUNDS_A_PAGE: Final = 100
_REFUND_PAGES_AT_MOST: Final = 10


class StripeCalls:
    """The calls that billing makes; answers are plain dictionaries, for the library's objects are none.

    Raises ProviderRejectedError or UnknownReferenceError if Stripe has answered so, and
    ProviderUnavailableError or ProviderNotConfiguredError if nobody knows what was done.
    """

    def __init__(self, secret_key: str, *, api_base: str = "") -> None:
        """Use the key; *api_base* is another address than Stripe's, for tests."""
        self._client = stripe.StripeClient(
            secret_key,
            # The library's own retries would hide a failure and hold the worker: ours are rows.
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=TIMEOUTS_S),
            base_addresses={"api": api_base} if api_base else None,
        )

    def create_session(
        self, params: SessionCreateParams, *, idempotency_key: str
    ) -> dict[str, Any]:
        """Open a checkout session; the same key returns the same one."""
        with _translated():
            session = self._client.v1.checkout.sessions.create(
                params, {"idempotency_key": idempotency_key}
            )
        return session.to_dict()

    def retrieve_session(self, session_id: str) -> dict[str, Any]:
        """Return a session with its payment, the charge of it, and what that cost."""
        with _translated():
            session = self._client.v1.checkout.sessions.retrieve(
                session_id, {"expand": list(_EXPANDED)}
            )
        return session.to_dict()

    def find_session_id(self, payment_intent_id: str) -> str | None:
        """Return the id of the session that a payment belongs to, or None if it belongs to none."""
        with _translated():
            found = self._client.v1.checkout.sessions.list(
                {"payment_intent": payment_intent_id, "limit": 1}
            )
        return found.data[0].id if found.data else None

    def refunds_of(self, payment_intent_id: str) -> list[dict[str, Any]]:
        """Return all refunds of a payment, the newest first."""
        refunds: list[dict[str, Any]] = []
        for _ in range(_REFUND_PAGES_AT_MOST):
            with _translated():
                page = self._client.v1.refunds.list(
                    {
                        "payment_intent": payment_intent_id,
                        "limit": _REFUNDS_A_PAGE,
                        **({"starting_after": refunds[-1]["id"]} if refunds else {}),
                    }
                )
            refunds += [refund.to_dict() for refund in page.data]
            if not page.has_more:
                return refunds
        # Without the rest nobody may decide whether a refund was made.
        raise ProviderUnavailableError("Stripe lists more refunds of a payment than are possible.")

    def disputes_of(self, payment_intent_id: str) -> list[dict[str, Any]]:
        """Return all disputes of a payment, the newest first; there is rarely more than one."""
        with _translated():
            page = self._client.v1.disputes.list(
                {"payment_intent": payment_intent_id, "limit": _REFUNDS_A_PAGE}
            )
        if page.has_more:
            raise ProviderUnavailableError("Stripe lists more disputes than are possible.")
        return [dispute.to_dict() for dispute in page.data]

    def create_refund(self, params: RefundCreateParams, *, idempotency_key: str) -> dict[str, Any]:
        """Give money back; the same key returns the same refund."""
        with _translated():
            refund = self._client.v1.refunds.create(params, {"idempotency_key": idempotency_key})
        return refund.to_dict()


@lru_cache(maxsize=2)
def calls_with(secret_key: str, api_base: str) -> StripeCalls:
    """Return the calls with a key, made once in a process: connections are kept open."""
    return StripeCalls(secret_key, api_base=api_base)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the library's errors into ours. Stripe's texts are not shown: they may name keys and people."""
    try:
        yield
    except stripe.StripeError as error:
        raise _meaning_of(error) from error


def _meaning_of(error: stripe.StripeError) -> ProviderError:
    match error:
        case stripe.CardError():
            return ProviderRejectedError("Stripe has declined this.")
        case (
            stripe.InvalidRequestError(code="resource_missing")
            | stripe.InvalidRequestError(http_status=404)
        ):
            return UnknownReferenceError("Stripe knows no such object.")
        case stripe.InvalidRequestError() | stripe.IdempotencyError():
            return ProviderRejectedError("Stripe has refused this.")
        case stripe.AuthenticationError() | stripe.PermissionError():
            return ProviderNotConfiguredError("Stripe does not accept the key of this platform.")
        case _:
            # No answer, too many calls, or an error at Stripe: it may have been done all the same.
            return ProviderUnavailableError("Stripe did not answer, or not clearly.")
