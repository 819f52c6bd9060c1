"""What the platform offers."""

import uuid

from django.db import models
from django.db.models.functions import Now


class Product(models.Model):
    """Something that a person can have a right to: a plan, or a strategy (``strategy:<slug>``)."""

    class Kind(models.TextChoices):
        """What kind of right it is."""

        PLAN = "PLAN", "Plan"
        STRATEGY = "STRATEGY", "Strategy"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.code
