"""Error reports to Sentry, or to anything that speaks its protocol; off unless ``SENTRY_DSN`` is set."""

from typing import Any

from foundation.scrubbing import scrub_value


def report_errors(*, dsn: str, environment: str) -> None:
    """Send unexpected exceptions to *dsn*, without values of variables, bodies of requests or data of people."""
    # An optional library: installations without error reports need not have it.
    import sentry_sdk  # noqa: PLC0415

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        # Data of people are left out unless asked for; the option that said so is deprecated.
        include_local_variables=False,
        max_request_body_size="never",
        before_send=scrub_report,
        before_breadcrumb=scrub_report,
    )


def scrub_report(report: Any, hint: dict[str, Any]) -> Any:
    """Return *report*, of whatever shape the library gives it, as it may leave the machine."""
    return scrub_value(report)
