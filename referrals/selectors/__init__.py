"""The read paths of the referrals."""
