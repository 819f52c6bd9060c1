"""Keys are rotated while orders go on, after a kill from where it ended, and by one process at a time."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.db import connection, connections
from django.utils import timezone

from accounts.models import User
from exchanges.models import Credential
from exchanges.selectors import key_rings
from exchanges.services import accounts
from foundation.audit import Actor
from foundation.crypto import SealedSecret, open_sealed, sealed_with
from foundation.exclusive import only_one
from foundation.processes.local_secrets import generate_secrets
from market.errors import PlatformError
from tests.exchanges.owned_objects import make_connected_account
from tests.factories.accounts import make_person
from tests.factories.exchanges import make_venue
from tests.template import address_of
from web import preflight

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
SECRET = "secret-of-account-{}"
MANY = 60


@pytest.fixture
def rings(settings):
    """A second version in both rings, beside the first; returns what other processes are given."""
    fresh = generate_secrets()
    first = {
        "API_ENCRYPTION_KEY": settings.API_ENCRYPTION_KEY,
        "API_ENCRYPTION_PUBLIC_KEY": settings.API_ENCRYPTION_PUBLIC_KEY,
        "FIELD_ENCRYPTION_KEY": settings.FIELD_ENCRYPTION_KEY,
    }
    return {name: f"2:{fresh[name]},{ring}" for name, ring in first.items()}


@pytest.fixture
def person() -> User:
    """Somebody with many credentials and a second factor, all of the first version."""
    owner = make_person()
    venue = make_venue("simulator", takes_live_accounts=True)
    for number in range(MANY):
        account = make_connected_account(owner, venue=venue, label=f"Account {number}")
        accounts.replace_credential(
            owner=owner,
            account_public_id=account.public_id,
            api_key=f"key-of-account-{number:04}-0000",
            secret=SECRET.format(number) + "-0000000",
            by=Actor.person(owner.pk),
            now=timezone.now(),
        )
    Authenticator.objects.create(
        user=owner, type="totp", data={"secret": get_adapter().encrypt("SEEDSEEDSEED")}
    )
    Authenticator.objects.create(
        user=owner,
        type="recovery_codes",
        data={"seed": get_adapter().encrypt("0123456789"), "used_mask": 5},
    )
    return owner


def rotate(rings, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "rotate_keys", *arguments],
        env={
            **os.environ,
            **rings,
            **environment,
            "DATABASE_URL": address_of(connection.settings_dict["NAME"]),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class Reader(threading.Thread):
    """Opens all credentials again and again, as the workers do for their orders."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0
        self.failures: list[str] = []
        self._ended = threading.Event()

    def run(self) -> None:
        """Read until told to stop, and once more."""
        try:
            while not self._ended.is_set():
                self._read()
            self._read()
        finally:
            connections.close_all()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._ended.set()
        self.join()

    def _read(self) -> None:
        for credential in Credential.objects.select_related("account__owner").order_by("pk"):
            try:
                open_sealed(credential.sealed_api_key, credential.context("api_key"))
                secret = open_sealed(credential.sealed_secret, credential.context("secret"))
                assert secret.reveal().startswith("secret-of-account-")
                self.opened += 1
            except (PlatformError, AssertionError) as error:
                self.failures.append(repr(error))


def test_it_goes_on_after_a_kill_while_credentials_are_used_and_nothing_old_is_left(
    rings, person, settings
):
    for name, ring in rings.items():
        # Workers hold both keys before anything is rotated; the web server seals with the new one.
        setattr(settings, name, ring)
    reader = Reader()
    reader.start()

    killed = rotate(rings, "--batch", "20", CRASHPOINT="keys.rotated")
    halfway = key_rings.credentials_by_key_version()
    finished = rotate(rings, "--batch", "20")
    reader.stop()

    assert killed.returncode == -signal.SIGKILL
    assert halfway == {1: MANY - 20, 2: 20}
    assert finished.returncode == 0, finished.stderr
    assert f"{MANY - 20} credentials need an older key than 2" in finished.stdout
    assert "2 second factors rotated, 0 need an older key" in finished.stdout
    assert key_rings.credentials_by_key_version() == {2: MANY}
    assert reader.failures == []
    assert reader.opened >= 2 * MANY
    assert "key-of-account" not in finished.stdout + finished.stderr
    # The old keys can be retired: everything opens without them.
    for name, ring in rings.items():
        setattr(settings, name, ring.partition(",")[0])
    credential = Credential.objects.select_related("account__owner").earliest("pk")
    opened = open_sealed(credential.sealed_secret, credential.context("secret"))
    assert opened.reveal().startswith("secret-of-account-")
    seed, codes = Authenticator.objects.order_by("type", "pk").values_list("data", flat=True)[::-1]
    assert get_adapter().decrypt(seed["secret"]) == "SEEDSEEDSEED"
    assert codes["used_mask"] == 5
    assert not {"key_missing", "key_outdated"} & findings()


def findings() -> set[str]:
    return {each.code for each in preflight.examine(environment={}, now=timezone.now())}


def test_what_does_not_open_is_named_and_stays_and_the_old_key_is_still_asked_for(
    rings, person, settings
):
    for name, ring in rings.items():
        setattr(settings, name, ring)
    mine = Credential.objects.earliest("pk")
    moved = bytes(Credential.objects.latest("pk").sealed_secret)
    Credential.objects.filter(pk=mine.pk).update(sealed_secret=SealedSecret(moved))

    result = rotate(rings)

    assert result.returncode == 1
    assert f"row {mine.pk} of credentials does not open" in result.stderr
    assert "1 need an older key" in result.stdout
    assert sealed_with(Credential.objects.get(pk=mine.pk).sealed_secret) == 1
    assert "key_outdated" in findings()
    settings.API_ENCRYPTION_KEY = rings["API_ENCRYPTION_KEY"].partition(",")[0]
    assert "key_missing" in findings()


def test_a_second_one_is_refused_with_the_process_of_the_first(rings):
    with only_one("rotate_keys"):
        result = rotate(rings)

    assert result.returncode == 1
    assert f"error: already_running: It runs already (rotate_keys process {os.getpid()}" in (
        result.stderr
    )


def test_where_the_private_ring_is_not_only_the_other_is_rotated_and_the_status_says_so(rings):
    result = rotate(rings | {"API_ENCRYPTION_KEY": ""})

    assert result.returncode == 1
    assert "API_ENCRYPTION_KEY is not here" in result.stderr
    assert "0 second factors rotated" in result.stdout
