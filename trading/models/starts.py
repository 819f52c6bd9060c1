"""Since when workers act for accounts."""

from django.db import models
from django.db.models.functions import Now


class WorkerStart(models.Model):
    """The start of a worker that acts for accounts, by the database's clock.

    Whatever happened before it may be unknown here, so after it every account is compared with its
    venue before anything is opened there.
    """

    token = models.UUIDField(unique=True, help_text="The same in all processes of one worker.")
    started_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["-started_at"], name="latest_worker_start")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S}"
