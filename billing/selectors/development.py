"""Charges of the bank for development, for its page."""

from uuid import UUID

from billing.models import DevelopmentCharge
from billing.selectors.entitlements import Owner


def find_charge_for(owner: Owner, *, reference: UUID) -> DevelopmentCharge | None:
    """Return the charge that *owner* is asked for, or None for any other."""
    public_id = getattr(owner, "public_id", None)
    mine = DevelopmentCharge.objects.filter(customer=str(public_id))
    return mine.filter(reference=reference).first()
