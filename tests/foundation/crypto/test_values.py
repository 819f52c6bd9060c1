"""A secret never shows itself by accident."""

import copy
import json
import logging
import pickle
from dataclasses import asdict, dataclass

import pytest

from foundation.crypto import SealedSecret, Secret
from foundation.logs import ConsoleFormatter, JsonFormatter

VALUE = "canary-4711-secret"


@dataclass
class Holder:
    """Something that carries a secret along."""

    secret: Secret


def test_no_way_of_showing_a_secret_shows_its_value():
    secret = Secret(VALUE)

    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        f"{secret!r}",
        "{} {!r}".format(secret, secret),  # noqa: UP032  every way of formatting
        repr(Holder(secret)),
        repr({"secret": secret}),
        repr(vars(Holder(secret))),
        json.dumps({"secret": secret}, default=str),
    ]

    assert all(VALUE not in text for text in shown)
    assert repr(secret) == "«secret»"
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol):
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(VALUE), protocol)


def test_a_secret_is_not_turned_into_json_or_copied_out_of_its_holder():
    with pytest.raises(TypeError):
        json.dumps(Secret(VALUE))
    with pytest.raises(TypeError):
        asdict(Holder(Secret(VALUE)))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(VALUE))


@pytest.mark.parametrize("formatter", [ConsoleFormatter(), JsonFormatter()])
def test_a_secret_handed_to_a_log_is_not_written(formatter):
    record = logging.makeLogRecord(
        {"msg": "key %s", "args": (Secret(VALUE),), "secret": Secret(VALUE), "level": "DEBUG"}
    )

    line = formatter.format(record)

    assert VALUE not in line
    assert "secret\\u00bb" in line or "«secret»" in line


def test_secrets_compare_by_value_and_are_not_hashed():
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret("other")
    assert Secret(VALUE) != VALUE
    with pytest.raises(TypeError):
        hash(Secret(VALUE))


def test_a_sealed_secret_shows_no_bytes_but_is_stored_as_them():
    sealed = SealedSecret(b"\x01\x02canary")

    assert repr(sealed) == str(sealed) == f"{sealed}" == "«sealed»"
    assert bytes(sealed) == b"\x01\x02canary"
