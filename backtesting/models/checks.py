"""Checks of strategies and what they found."""

from django.db import models

from backtesting.domain.verdicts import Verdict
from backtesting.models.work import ClaimedWork, ClaimedWorkQuerySet
from foundation.choices import choices_of


class StrategyCheck(ClaimedWork):
    """One strategy put to all checks on one stretch of candles.

    ``results`` is what ``CheckReport.to_json`` gives. A published one was asked for by an operator
    and is shown to everybody who looks at the strategy; its owner stays who asked.
    """

    is_published = models.BooleanField(
        default=False, help_text="Shown to everybody, on the page of the strategy's checks."
    )
    verdict = models.CharField(max_length=14, choices=choices_of(Verdict), blank=True)
    results = models.JSONField(default=list)
    bar_count = models.PositiveIntegerField(default=0)
    data_fingerprint = models.CharField(max_length=64, blank=True)

    objects = ClaimedWorkQuerySet["StrategyCheck"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "spec_hash", "is_published"],
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
                name="one_check_at_a_time_per_specification",
            ),
            models.CheckConstraint(
                condition=models.Q(from_at__lt=models.F("to_at")), name="check_window_not_empty"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="DONE") | ~models.Q(verdict=""),
                name="done_check_has_verdict",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-requested_at"], name="checks_of_owner"),
            models.Index(
                fields=["strategy_version", "-requested_at"],
                name="checks_published",
                condition=models.Q(is_published=True),
            ),
            models.Index(
                fields=["lease_until"],
                name="checks_unfinished",
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
            ),
        ]
