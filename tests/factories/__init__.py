"""Valid, minimal, explicit rows for the tests, one module per app."""
