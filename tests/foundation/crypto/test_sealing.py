"""Sealed secrets open at their one place only, and nowhere without the private ring."""

import base64
from itertools import permutations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from foundation.crypto import (
    SealBrokenError,
    SealedSecret,
    SecretContext,
    SecretsUnavailableError,
    open_sealed,
    seal,
)

#: A busy machine is no failure.
unhurried = hypothesis_settings(deadline=None)

CONTEXT = SecretContext(owner="anna", holder="account-1", field="secret", version=1)
VALUE = "canary-9f3b-secret"


def make_pair():
    private = X25519PrivateKey.generate()
    return (
        base64.b64encode(private.private_bytes_raw()).decode(),
        base64.b64encode(private.public_key().public_bytes_raw()).decode(),
    )


@pytest.fixture
def rings(settings):
    """Set the two rings from pairs of keys by version; a missing private key is left out."""

    def use(pairs, *, private=None):
        kept = pairs if private is None else private
        settings.API_ENCRYPTION_PUBLIC_KEY = ",".join(f"{v}:{pairs[v][1]}" for v in pairs)
        settings.API_ENCRYPTION_KEY = ",".join(f"{v}:{pairs[v][0]}" for v in kept)

    return use


class TestOpening:
    @unhurried
    @given(st.text(max_size=300))
    def test_what_was_sealed_opens_at_its_place(self, value):
        assert open_sealed(seal(value, CONTEXT), CONTEXT).reveal() == value

    def test_the_same_value_is_never_sealed_to_the_same_bytes(self):
        assert bytes(seal(VALUE, CONTEXT)) != bytes(seal(VALUE, CONTEXT))

    def test_the_stored_bytes_do_not_hold_the_value(self):
        assert VALUE.encode() not in bytes(seal(VALUE, CONTEXT))

    def test_a_value_moved_to_any_other_place_does_not_open(self):
        places = [
            SecretContext(owner, holder, field, version)
            for owner in ("anna", "bert")
            for holder in ("account-1", "account-2")
            for field in ("api_key", "secret")
            for version in (1, 2)
        ]
        sealed = {place: seal(VALUE, place) for place in places}

        for source, target in permutations(places, 2):
            with pytest.raises(SealBrokenError):
                open_sealed(sealed[source], target)

    def test_parts_of_a_context_cannot_be_shifted_into_one_another(self):
        sealed = seal(VALUE, SecretContext(owner="a|1:b", holder="c", field="d", version=1))

        with pytest.raises(SealBrokenError):
            open_sealed(sealed, SecretContext(owner="a", holder="1:b|c", field="d", version=1))

    def test_a_process_without_the_private_ring_cannot_open(self, settings):
        sealed = seal(VALUE, CONTEXT)
        settings.API_ENCRYPTION_KEY = ""

        assert seal(VALUE, CONTEXT)
        with pytest.raises(SecretsUnavailableError):
            open_sealed(sealed, CONTEXT)


class TestTampering:
    @unhurried
    @given(st.data())
    def test_a_change_of_any_byte_is_noticed(self, data):
        sealed = bytes(seal(VALUE, CONTEXT))
        position = data.draw(st.integers(0, len(sealed) - 1))
        changed = data.draw(st.integers(0, 255).filter(lambda byte: byte != sealed[position]))

        with pytest.raises(SealBrokenError):
            open_sealed(sealed[:position] + bytes([changed]) + sealed[position + 1 :], CONTEXT)

    @unhurried
    @given(st.integers(0, 200))
    def test_a_shortened_value_is_noticed(self, length):
        sealed = bytes(seal(VALUE, CONTEXT))

        with pytest.raises(SealBrokenError):
            open_sealed(sealed[: min(length, len(sealed) - 1)], CONTEXT)

    @unhurried
    @given(st.binary(max_size=200))
    def test_noise_does_not_open(self, noise):
        with pytest.raises(SealBrokenError):
            open_sealed(noise, CONTEXT)

    def test_an_error_says_nothing_about_the_cause(self):
        with pytest.raises(SealBrokenError) as caught:
            open_sealed(bytes(seal(VALUE, CONTEXT))[:-1], CONTEXT)

        assert caught.value.__cause__ is None
        assert VALUE not in str(caught.value)


class TestRotation:
    def test_the_newest_public_key_seals_and_older_values_stay_readable(self, rings):
        first, second = make_pair(), make_pair()
        rings({1: first})
        old = seal(VALUE, CONTEXT)

        rings({1: first, 2: second})
        new = seal(VALUE, CONTEXT)

        assert open_sealed(old, CONTEXT).reveal() == VALUE
        assert open_sealed(new, CONTEXT).reveal() == VALUE
        assert bytes(old)[4:6] == b"\x00\x01"
        assert bytes(new)[4:6] == b"\x00\x02"

    def test_a_value_whose_key_was_retired_does_not_open(self, rings):
        first, second = make_pair(), make_pair()
        rings({1: first})
        old = seal(VALUE, CONTEXT)

        rings({1: first, 2: second}, private=[2])

        with pytest.raises(SealBrokenError):
            open_sealed(old, CONTEXT)

    def test_a_value_relabelled_as_sealed_with_another_key_does_not_open(self, rings):
        pair = make_pair()
        rings({1: pair, 2: pair})
        sealed = bytearray(seal(VALUE, CONTEXT))
        sealed[5] = 1

        with pytest.raises(SealBrokenError):
            open_sealed(SealedSecret(bytes(sealed)), CONTEXT)

    def test_a_version_that_appears_twice_is_refused(self, settings):
        key = make_pair()[1]
        settings.API_ENCRYPTION_PUBLIC_KEY = f"3:{key},3:{key}"

        with pytest.raises(ValueError, match="appears twice"):
            seal(VALUE, CONTEXT)
