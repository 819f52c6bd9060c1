"""Pasted keys: trimmed where that is harmless, refused with every reason at once where it is not."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from exchanges.domain.credentials import (
    CredentialFormatError,
    PastedCredential,
    clean_credential,
)

#: A busy machine is no failure.
unhurried = hypothesis_settings(deadline=None)

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"

BLANKS = st.text(alphabet=" \t\r\n\u200b\ufeff\u00a0\u2060", max_size=5)
PRINTABLE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=16, max_size=256
)


def codes_of(api_key=KEY, secret=SECRET, passphrase=""):
    with pytest.raises(CredentialFormatError) as caught:
        clean_credential(PastedCredential(api_key, secret, passphrase))
    return {(problem.field, problem.code) for problem in caught.value.problems}


@unhurried
@given(BLANKS, BLANKS)
def test_blanks_around_a_key_are_trimmed_with_a_note(before, after):
    clean = clean_credential(PastedCredential(f"{before}{KEY}{after}", SECRET))

    assert clean.api_key == KEY
    assert bool(clean.notes) == bool(before or after)
    assert clean.last_four == "Eh8A"


@unhurried
@given(PRINTABLE, PRINTABLE)
def test_printable_keys_pass_unchanged(api_key, secret):
    if api_key == secret or "PRIVATE KEY" in api_key + secret:
        return

    clean = clean_credential(PastedCredential(api_key, secret))

    assert (clean.api_key, clean.secret, clean.notes) == (api_key, secret, ())


@unhurried
@given(st.text(max_size=400))
def test_what_is_not_refused_can_be_sent_in_a_header(api_key):
    try:
        clean = clean_credential(PastedCredential(api_key, SECRET))
    except CredentialFormatError:
        return

    assert clean.api_key.isascii()
    assert clean.api_key.isprintable()
    assert " " not in clean.api_key


def test_all_problems_are_told_at_once():
    assert codes_of(api_key="", secret="too short") == {
        ("api_key", "credential_missing"),
        ("secret", "credential_invalid_format"),
    }


@pytest.mark.parametrize("middle", [" ", "\n", "\t", "\u200b", "\u00a0", "\x00", "\u2028"])
def test_a_blank_inside_a_key_is_refused(middle):
    assert codes_of(api_key=KEY[:20] + middle + KEY[20:]) == {
        ("api_key", "credential_invalid_format")
    }


@pytest.mark.parametrize(
    "text", ["key\u2013with\u2013dashes\u2013of\u2013a\u2013text", "ключ" * 8, "🔑" * 20]
)
def test_characters_that_no_key_has_are_refused(text):
    assert codes_of(secret=text) == {("secret", "credential_invalid_format")}


@pytest.mark.parametrize("text", ["x" * 15, "x" * 257])
def test_a_length_that_no_key_has_is_refused(text):
    assert codes_of(api_key=text) == {("api_key", "credential_invalid_length")}


def test_the_same_value_twice_is_refused():
    assert codes_of(secret=KEY) == {("secret", "credential_same_twice")}


def test_a_private_key_file_is_named_as_such():
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----"

    assert codes_of(secret=pem) == {("secret", "credential_unsupported_kind")}


def test_neither_the_values_nor_the_errors_show_a_key():
    pasted = PastedCredential(KEY, SECRET)
    clean = clean_credential(pasted)
    with pytest.raises(CredentialFormatError) as caught:
        clean_credential(PastedCredential(f"{KEY} {KEY}", SECRET))

    shown = f"{pasted!r} {clean!r} {caught.value} {caught.value.problems}"

    assert KEY not in shown
    assert SECRET not in shown
