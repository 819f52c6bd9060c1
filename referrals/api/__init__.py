"""The JSON API of the referrals."""
