"""Rings of keys that Vault has wrapped."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.utils import timezone

from config.env import read_environment
from config.vault_rules import VaultAccess
from foundation.crypto import (
    KeyProviderRefusedError,
    KeyProviderUnavailableError,
    SealBrokenError,
    SecretContext,
    decrypt,
    encrypt,
    open_sealed,
    seal,
)
from foundation.crypto.rings import FIELD_RING, PRIVATE_RING, open_ring
from foundation.processes.local_secrets import generate_secrets
from foundation.scrubbing import scrub
from tests.foundation.crypto.fake_vault import TOKEN, FakeVault, fake_vault
from web import preflight
from web.preflight import Level

pytestmark = pytest.mark.enable_socket

CONTEXT = SecretContext(owner="ada", holder="account", field="secret", version=1)


@pytest.fixture
def vault(settings) -> Iterator[FakeVault]:
    with fake_vault() as running:
        settings.VAULT = access(running.address)
        yield running


def access(address: str, token: str = TOKEN) -> VaultAccess:
    return VaultAccess(address, token, "transit", "trading-platform", "teams/desk", "")


def wrapped(ring: str, keys: str, monkeypatch, capsys) -> str:
    """Return what `manage.py wrap_keys` prints for the keys on its standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(keys + "\n"))
    call_command("wrap_keys", ring)
    return str(capsys.readouterr().out).strip()


def test_a_private_ring_that_vault_has_wrapped_opens_credentials_and_vault_is_asked_once(
    vault, settings, monkeypatch, capsys
):
    sealed = seal("hunter2-hunter2", CONTEXT)
    settings.API_ENCRYPTION_KEY = wrapped(
        PRIVATE_RING, settings.API_ENCRYPTION_KEY, monkeypatch, capsys
    )
    assert settings.API_ENCRYPTION_KEY.startswith("1:vault:v1:")

    assert [open_sealed(sealed, CONTEXT).reveal() for _ in range(3)] == ["hunter2-hunter2"] * 3

    assert vault.asked.count("/v1/transit/decrypt/trading-platform") == 1
    assert vault.headers[-1]["X-Vault-Namespace"] == "teams/desk"


def test_the_other_ring_can_be_wrapped_too_and_hold_a_plain_key_beside(
    vault, settings, monkeypatch, capsys
):
    old = encrypt("seed", CONTEXT)
    fresh = generate_secrets()["FIELD_ENCRYPTION_KEY"]
    plain = settings.FIELD_ENCRYPTION_KEY.rpartition(":")[2]
    settings.FIELD_ENCRYPTION_KEY = (
        f"{wrapped(FIELD_RING, f'2:{fresh}', monkeypatch, capsys)},1:{plain}"
    )

    assert decrypt(old, CONTEXT).reveal() == "seed"
    assert decrypt(encrypt("other", CONTEXT), CONTEXT).reveal() == "other"


def test_a_key_that_was_moved_to_another_ring_or_version_does_not_open(
    vault, settings, monkeypatch, capsys
):
    ring = wrapped(PRIVATE_RING, settings.API_ENCRYPTION_KEY, monkeypatch, capsys)

    settings.API_ENCRYPTION_KEY = ring.replace("1:vault", "2:vault", 1)
    with pytest.raises(SealBrokenError):
        open_ring(PRIVATE_RING)
    settings.FIELD_ENCRYPTION_KEY = ring
    with pytest.raises(SealBrokenError):
        open_ring(FIELD_RING)


@pytest.mark.parametrize("status", [429, 473, 500, 503, 307])
def test_a_vault_that_cannot_work_now_is_unavailable_and_works_again_later(
    vault, settings, monkeypatch, capsys, status
):
    settings.API_ENCRYPTION_KEY = wrapped(
        PRIVATE_RING, settings.API_ENCRYPTION_KEY, monkeypatch, capsys
    )
    vault.status = status
    with pytest.raises(KeyProviderUnavailableError):
        open_ring(PRIVATE_RING)

    vault.status = 200
    assert len(open_ring(PRIVATE_RING)[1]) == 32


@pytest.mark.django_db
class TestPreflight:
    def findings(self):
        found = preflight.examine(environment={}, now=timezone.now())
        return {each.code: each.level for each in found}

    def test_it_names_a_token_that_is_refused_and_a_vault_that_is_away(
        self, vault, settings, monkeypatch, capsys, caplog
    ):
        caplog.set_level(logging.DEBUG)
        settings.API_ENCRYPTION_KEY = wrapped(
            PRIVATE_RING, settings.API_ENCRYPTION_KEY, monkeypatch, capsys
        )
        assert "key_provider_refused" not in self.findings()
        open_ring_again(settings)

        settings.VAULT = access(vault.address, token="hvs.another")
        assert self.findings()["key_provider_refused"] is Level.ERROR
        with pytest.raises(KeyProviderRefusedError):
            open_ring(PRIVATE_RING)
        settings.VAULT = access("http://127.0.0.1:9")
        assert self.findings()["key_provider_unavailable"] is Level.UNREACHABLE
        assert TOKEN not in caplog.text


def open_ring_again(settings) -> None:
    """Spell the ring in another way, as a process that has not opened it yet would meet it."""
    settings.API_ENCRYPTION_KEY = f" {settings.API_ENCRYPTION_KEY}"


class TestTheEnvironment:
    def problems(self, **source: str) -> list[str]:
        _, problems = read_environment(source)
        return [problem for problem in problems if "VAULT" in problem or "API_ENC" in problem]

    def test_a_wrapped_ring_needs_an_address_and_a_token(self):
        public = f"1:{generate_secrets()['API_ENCRYPTION_PUBLIC_KEY']}"
        ring = {
            "API_ENCRYPTION_KEY": "2:vault:v1:c2VhbGVk,1:vault:v3:c2VhbGVk",
            "API_ENCRYPTION_PUBLIC_KEY": public,
        }

        assert [problem.split(":")[0] for problem in self.problems(**ring)] == [
            "VAULT_ADDR", "VAULT_TOKEN"
        ]  # fmt: skip
        complete = ring | {"VAULT_ADDR": "https://vault:8200", "VAULT_TOKEN": "t"}
        assert self.problems(**complete) == []
        open_air = complete | {"VAULT_ADDR": "http://vault:8200", "APP_ENV": "production"}
        assert "must start with https://" in self.problems(**open_air)[0]
        assert self.problems(**(complete | {"VAULT_TRANSIT_KEY": "../sys"}))

    def test_a_public_ring_is_never_wrapped(self):
        assert "API_ENCRYPTION_PUBLIC_KEY: each key must be 32 bytes" in " ".join(
            self.problems(API_ENCRYPTION_PUBLIC_KEY="1:vault:v1:c2VhbGVk")
        )


def test_token_and_wrapped_keys_are_scrubbed(settings):
    settings.VAULT = access("https://vault:8200", token="plain-looking-token-0001")

    text = scrub(
        "plain-looking-token-0001 hvs.CAESIJlU0123456789abcdef vault:v1:c2VhbGVka2V5c2VhbGVka2V5"
    )

    assert text == "«secret» «secret» «secret»"
    assert TOKEN not in repr(access("https://vault:8200"))
