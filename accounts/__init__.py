"""People: sign-up, sessions, profile."""
