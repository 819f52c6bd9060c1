"""The write paths of the referrals."""
