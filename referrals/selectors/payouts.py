"""What was paid out, and what is to be."""

from collections.abc import Sequence

from market.errors import NotFoundError
from referrals.models import Payout
from referrals.selectors.codes import Owner


class PayoutNotFoundError(NotFoundError):
    """There is no such payout, or it is somebody else's."""

    code = "payout_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such payout.")


def page_of_payouts(owner: Owner, *, below: int | None = None, most: int) -> Sequence[Payout]:
    """Return up to *most* payouts of *owner*, the newest first, made before a key."""
    mine = Payout.objects.filter(owner_id=owner.pk)
    if below is not None:
        mine = mine.filter(pk__lt=below)
    return list(mine.order_by("-pk")[:most])
