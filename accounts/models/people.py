"""A person."""

import uuid
from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.crypto import salted_hmac


class Theme(models.TextChoices):
    """How pages look; SYSTEM follows the device."""

    SYSTEM = "SYSTEM", "As the device"
    LIGHT = "LIGHT", "Light"
    DARK = "DARK", "Dark"


class UserManager(BaseUserManager["User"]):
    """Makes people and finds them by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Return a new person; the address is stored in lower case."""
        if not email:
            raise ValueError("A person needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Return a new operator with every permission, whose address counts as proved.

        Whoever may run the command on the server needs no mail to show who they are.
        """
        user = self.create_user(
            email, password, **{**fields, "is_staff": True, "is_superuser": True}
        )
        EmailAddress.objects.using(self._db).create(
            user=user, email=user.email, verified=True, primary=True
        )
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a person by address, in any case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person; signs in with an e-mail address."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField("e-mail address", max_length=254, unique=True)
    display_name = models.CharField(max_length=80, blank=True)
    bio = models.CharField(max_length=500, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    currency = models.CharField(max_length=10, default="USDT")
    theme = models.CharField(max_length=10, choices=Theme, default=Theme.SYSTEM)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(db_default=Now(), editable=False)
    token_epoch = models.PositiveIntegerField(
        default=0,
        help_text="Raised to end all sessions and tokens; those of an older epoch are void.",
    )
    deactivated_at = models.DateTimeField(null=True, blank=True)
    erasure_requested_at = models.DateTimeField(
        null=True, blank=True, help_text="When the person asked to be deleted."
    )
    erased_at = models.DateTimeField(
        null=True, blank=True, help_text="When the person was deleted; financial records stay."
    )

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [models.UniqueConstraint(Lower("email"), name="one_person_per_address")]

    def __str__(self) -> str:
        return self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session proves at every request: a new password or a raised epoch makes it void."""
        proof = f"{self.password}|{self.token_epoch}"
        salted = salted_hmac("accounts.session", proof, secret=secret, algorithm="sha256")
        return salted.hexdigest()
