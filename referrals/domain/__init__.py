"""The rules of the referrals, without tables."""
