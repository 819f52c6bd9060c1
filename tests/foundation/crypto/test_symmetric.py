"""Secrets that the web process reads are bound to their place too."""

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from foundation.crypto import SealBrokenError, SecretContext, decrypt, encrypt, open_sealed, seal

#: A busy machine is no failure.
unhurried = hypothesis_settings(deadline=None)

CONTEXT = SecretContext(owner="anna", holder="device-1", field="seed", version=1)
VALUE = "canary-totp-seed"


@unhurried
@given(st.text(max_size=300))
def test_what_was_encrypted_is_read_at_its_place(value):
    assert decrypt(encrypt(value, CONTEXT), CONTEXT).reveal() == value


@unhurried
@given(st.data())
def test_a_change_of_any_byte_is_noticed(data):
    sealed = bytes(encrypt(VALUE, CONTEXT))
    position = data.draw(st.integers(0, len(sealed) - 1))
    changed = data.draw(st.integers(0, 255).filter(lambda byte: byte != sealed[position]))

    with pytest.raises(SealBrokenError):
        decrypt(sealed[:position] + bytes([changed]) + sealed[position + 1 :], CONTEXT)


@unhurried
@given(st.integers(0, 60))
def test_a_shortened_value_is_noticed(length):
    sealed = bytes(encrypt(VALUE, CONTEXT))

    with pytest.raises(SealBrokenError):
        decrypt(sealed[: min(length, len(sealed) - 1)], CONTEXT)


@pytest.mark.parametrize(
    "elsewhere",
    [
        SecretContext(owner="bert", holder="device-1", field="seed", version=1),
        SecretContext(owner="anna", holder="device-2", field="seed", version=1),
        SecretContext(owner="anna", holder="device-1", field="code", version=1),
        SecretContext(owner="anna", holder="device-1", field="seed", version=2),
    ],
)
def test_a_value_moved_to_another_place_is_not_read(elsewhere):
    with pytest.raises(SealBrokenError):
        decrypt(encrypt(VALUE, CONTEXT), elsewhere)


def test_the_two_kinds_of_secrets_cannot_be_taken_for_one_another():
    with pytest.raises(SealBrokenError):
        decrypt(seal(VALUE, CONTEXT), CONTEXT)
    with pytest.raises(SealBrokenError):
        open_sealed(encrypt(VALUE, CONTEXT), CONTEXT)


def test_the_newest_key_encrypts_and_older_values_stay_readable(settings):
    first, second = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    settings.FIELD_ENCRYPTION_KEY = first
    old = encrypt(VALUE, CONTEXT)

    settings.FIELD_ENCRYPTION_KEY = f"1:{first},2:{second}"
    new = encrypt(VALUE, CONTEXT)
    assert decrypt(old, CONTEXT).reveal() == VALUE

    settings.FIELD_ENCRYPTION_KEY = f"2:{second}"
    assert decrypt(new, CONTEXT).reveal() == VALUE
    with pytest.raises(SealBrokenError):
        decrypt(old, CONTEXT)
