"""The column that keeps a sealed secret."""

from typing import TYPE_CHECKING, Any

from django.db import models

from foundation.crypto.values import SealedSecret

if TYPE_CHECKING:
    _Column = models.BinaryField[SealedSecret, SealedSecret]
else:
    _Column = models.BinaryField


class SealedField(_Column):
    """Bytes that come back as a SealedSecret: opening one names its context, nothing is transparent."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> SealedSecret | None:
        """Wrap what the database returned."""
        return None if value is None else SealedSecret(value)

    def deconstruct(self) -> Any:
        """Write migrations as a plain binary column: that is all the database knows."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs
