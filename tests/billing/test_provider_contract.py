"""Both providers, held to the same contract."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from billing.models import DevelopmentCharge
from billing.providers import signatures
from billing.providers.development import DevelopmentProvider, write_notice
from billing.providers.stripe import StripeProvider
from billing.services import development
from tests.billing.provider_contract import ProviderContract
from tests.billing.stripe_fake import StripeServer
from tests.billing.stripe_selling import use_stripe

pytestmark = pytest.mark.django_db


class TestDevelopment(ProviderContract):
    """The bank inside the installation."""

    provider = DevelopmentProvider()
    unknown_reference = str(uuid4())
    known_kind = "charge.paid"

    def use_secrets(self, settings: Any, current: str, previous: str) -> None:
        settings.DEVELOPMENT_WEBHOOK_SECRETS = (current, previous)

    def pay(self, reference: str) -> None:
        development.pay(reference=UUID(reference), now=timezone.now())

    def pay_later(self, reference: str) -> None:
        development.delay(reference=UUID(reference), now=timezone.now())

    def fail(self, reference: str) -> None:
        development.decline(reference=UUID(reference), now=timezone.now())

    def expire(self, reference: str) -> None:
        charge = DevelopmentCharge.objects.filter(reference=reference)
        charge.update(created_at=timezone.now() - timedelta(days=2))
        development.move_on(now=timezone.now())

    def count_checkouts(self) -> int:
        return DevelopmentCharge.objects.count()

    def notice(self, *, reference: str, kind: str, at: datetime) -> bytes:
        return write_notice(external_id=uuid4(), kind=kind, reference=reference, occurred_at=at)

    def proof(self, body: bytes, *, secret: str, at: datetime) -> Mapping[str, str]:
        signed = signatures.sign(body, secret=secret, at=int(at.timestamp()))
        return {"development-signature": signed}


class TestStripe(ProviderContract):
    """Stripe, or rather its stand-in, through the official library."""

    provider = StripeProvider()
    unknown_reference = "cs_test_" + "9" * 24
    known_kind = "checkout.session.completed"
    server: StripeServer

    @pytest.fixture
    def installation(self, stripe_server: StripeServer, settings: Any) -> Iterator[None]:
        """Sell through the stand-in."""
        use_stripe(settings, stripe_server)
        type(self).server = stripe_server
        yield
        del type(self).server

    def use_secrets(self, settings: Any, current: str, previous: str) -> None:
        settings.STRIPE_WEBHOOK_SECRETS = (current, previous)

    def pay(self, reference: str) -> None:
        self.server.bank.pay(reference)

    def pay_later(self, reference: str) -> None:
        self.server.bank.pay_later(reference)

    def fail(self, reference: str) -> None:
        self.server.bank.pay_later(reference)
        self.server.bank.decline(reference)

    def expire(self, reference: str) -> None:
        self.server.bank.expire(reference)

    def count_checkouts(self) -> int:
        return len(self.server.bank.sessions)

    def notice(self, *, reference: str, kind: str, at: datetime) -> bytes:
        event = self.server.bank.event_about({"id": reference}, kind=kind)
        return self.server.bank.notice(event | {"created": int(at.timestamp())})[0]

    def proof(self, body: bytes, *, secret: str, at: datetime) -> Mapping[str, str]:
        signed = self.server.bank.sign(body, secret=secret, at=int(at.timestamp()))
        return {"stripe-signature": signed}
