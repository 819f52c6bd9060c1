"""Descriptions of accounts to create, from the command line, the environment, a file or JSON."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from exchanges.simulator import signatures
from exchanges.simulator.orders import Permission

DEFAULT_PERMISSIONS: Final = (Permission.READ, Permission.TRADE)

_ASSET = re.compile(r"[A-Z0-9]{1,20}")
_LARGEST_AMOUNT: Final = Decimal(10**12)


class SpecificationError(ValueError):
    """A description of an account that cannot be used; the message says why, without the secret."""


@dataclass(frozen=True, slots=True)
class AccountSpecification:
    """An account to create: its key and secret, first balances by asset, and permissions.

    ``futures_balances`` go to its other wallets, those of the futures.
    """

    api_key: str
    secret: str
    balances: Mapping[str, Decimal]
    permissions: Sequence[Permission] = DEFAULT_PERMISSIONS
    futures_balances: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not signatures.is_well_formed_key(self.api_key):
            raise SpecificationError("An API key has 1 to 128 letters, digits, - or _.")
        if not self.secret or not self.secret.isascii():
            raise SpecificationError(f"The secret of {self.api_key} is empty or not ASCII.")
        for asset, amount in (*self.balances.items(), *self.futures_balances.items()):
            if not _ASSET.fullmatch(asset) or not 0 <= amount <= _LARGEST_AMOUNT:
                raise SpecificationError(f"{asset}={amount} of {self.api_key} is not a balance.")

    @classmethod
    def parse(cls, document: Any) -> "AccountSpecification":
        """Read ``{"api_key", "secret", "balances": {"USDT": "1000"}, "permissions"?: […]}``.

        ``"futures_balances": {"USDT": "1000"}`` may be there as well.

        The type is Any because it comes from JSON; whatever is wrong raises SpecificationError.
        """
        try:
            balances, futures_balances = (
                {
                    str(asset): _amount(str(amount))
                    for asset, amount in document.get(name, {}).items()
                }
                for name in ("balances", "futures_balances")
            )
            permissions = [
                Permission(name) for name in document.get("permissions", DEFAULT_PERMISSIONS)
            ]
            key, secret = str(document["api_key"]), str(document["secret"])
        except KeyError as error:
            raise SpecificationError(f"The account has no {error}.") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise SpecificationError("The account is not described as it must be.") from error
        return cls(
            api_key=key,
            secret=secret,
            balances=balances,
            permissions=permissions,
            futures_balances=futures_balances,
        )


def read_specification(text: str) -> AccountSpecification:
    """Read ``KEY:SECRET:USDT=100000,BTC=1:USDT=5000``: key, secret, spot and futures balances.

    The balances may be left out.
    """
    parts = text.strip().split(":")
    if len(parts) not in {2, 3, 4}:
        raise SpecificationError("An account is written KEY:SECRET:USDT=100000,BTC=1:USDT=5000.")
    return AccountSpecification(
        api_key=parts[0],
        secret=parts[1],
        balances=_read_balances(parts[2]) if len(parts) > 2 else {},
        futures_balances=_read_balances(parts[3]) if len(parts) > 3 else {},
    )


def read_specifications(text: str) -> list[AccountSpecification]:
    """Read several accounts, separated by blanks, semicolons or new lines."""
    return [read_specification(part) for part in re.split(r"[\s;]+", text.strip()) if part]


def read_file(path: Path) -> list[AccountSpecification]:
    """Read a file: a JSON list of accounts, or text as in ``read_specifications``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path} cannot be read: {error}.") from error
    if text.lstrip().startswith("["):
        try:
            return [AccountSpecification.parse(entry) for entry in json.loads(text)]
        except json.JSONDecodeError as error:
            raise SpecificationError(f"{path} is not JSON: {error}.") from error
    return read_specifications(text)


def _read_balances(text: str) -> dict[str, Decimal]:
    balances = {}
    for entry in filter(None, text.split(",")):
        asset, _, amount = entry.partition("=")
        try:
            balances[asset] = _amount(amount)
        except ValueError as error:
            raise SpecificationError(f"{entry!r} is not a balance such as USDT=1000.") from error
    return balances


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not amount.is_finite():
        raise ValueError(text)
    return amount
