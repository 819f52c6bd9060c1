"""Ten thousand credentials brought to a new key by one process of ``manage.py rotate_keys``."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from exchanges.models import AccountKind, AccountStatus, Credential, ExchangeAccount
from exchanges.selectors import key_rings
from foundation.crypto import seal
from foundation.processes.local_secrets import generate_secrets
from tests.factories.accounts import make_person
from tests.factories.exchanges import make_venue
from tests.template import address_of

# Another process has to see the rows.
pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
CREDENTIALS = 10_000


def make_credentials() -> None:
    """Give one person ten thousand accounts with a key and a secret each, sealed with the first version."""
    owner, now = make_person(), timezone.now()
    accounts = ExchangeAccount.objects.bulk_create(
        ExchangeAccount(
            owner=owner,
            venue=venue,
            kind=AccountKind.LIVE,
            label=f"Account {number}",
            status=AccountStatus.ACTIVE,
            connected_at=now,
        )
        for venue in [make_venue("simulator", takes_live_accounts=True)]
        for number in range(CREDENTIALS)
    )
    credentials = [
        Credential(owner=owner, account=account, version=1, last_four="0000", created_at=now)
        for account in accounts
    ]
    for number, each in enumerate(credentials):
        each.sealed_api_key = seal(f"key-{number}", each.context("api_key"))
        each.sealed_secret = seal(f"secret-{number}", each.context("secret"))
    Credential.objects.bulk_create(credentials)


def test_rotation_of_ten_thousand_credentials(settings, capsys):
    make_credentials()
    fresh = generate_secrets()
    rings = {
        name: f"2:{fresh[name]},{getattr(settings, name)}"
        for name in ("API_ENCRYPTION_KEY", "API_ENCRYPTION_PUBLIC_KEY", "FIELD_ENCRYPTION_KEY")
    }
    environment = {"DATABASE_URL": address_of(connection.settings_dict["NAME"])}
    began, began_cpu = time.perf_counter(), os.times()

    done = subprocess.run(
        [sys.executable, "manage.py", "rotate_keys"],
        env={**os.environ, **rings, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    wall_s, ended_cpu = time.perf_counter() - began, os.times()
    cpu_s = (ended_cpu.children_user + ended_cpu.children_system) - (
        began_cpu.children_user + began_cpu.children_system
    )
    assert done.returncode == 0, done.stderr
    assert dict(key_rings.credentials_by_key_version()) == {2: CREDENTIALS}
    with capsys.disabled():
        print(
            f"\nrotate_keys: {CREDENTIALS:,} credentials of two secrets in {wall_s:.1f} s,"
            f" {cpu_s:.1f} s of processor time of the command, start included"
        )
