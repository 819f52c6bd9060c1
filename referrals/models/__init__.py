"""The tables of the referrals."""

from referrals.models.attributions import Attribution
from referrals.models.codes import ReferralCode
from referrals.models.commissions import Clawback, Commission, CommissionStatus
from referrals.models.payouts import Payout, PayoutMethod

__all__ = (
    "Attribution",
    "Clawback",
    "Commission",
    "CommissionStatus",
    "Payout",
    "PayoutMethod",
    "ReferralCode",
)
