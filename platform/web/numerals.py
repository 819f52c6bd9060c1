"""Numbers and lengths of time as text, the way every page shows them.

Text only: :mod:`web.templatetags.ui` wraps it for templates. What is absent is shown as a dash, a minus is a true minus
sign, thousands have commas, and nothing that is not zero is ever shown as zero money.
"""

from datetime import timedelta
from decimal import MAX_PREC, ROUND_HALF_EVEN, Context, Decimal
from typing import Final, Literal

#: Anything a page may be asked to show; text must itself be a number, ``"1.5"``.
Number = Decimal | int | float | str
Direction = Literal["gain", "loss", "flat"]

ABSENT: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
_ENDLESS: Final = "∞"
_QUANTITY_PLACES: Final = 8
_LARGEST_PLACES: Final = 18
_TINY_DIGITS: Final = 2

#: Currencies that people read with cents; every other one is shown like a quantity.
_CURRENCIES_WITH_CENTS: Final = frozenset(
    {"", "USD", "EUR", "GBP", "CHF", "USDT", "USDC", "FDUSD", "TUSD", "DAI", "BUSD", "USDP"}
)
# Wide enough for any column of ours, so that rounding never overflows.
_CONTEXT: Final = Context(prec=200, rounding=ROUND_HALF_EVEN, Emax=MAX_PREC, Emin=-MAX_PREC)
_UNITS_S: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def number_text(value: Number | None, *, places: int = 2, signed: bool = False) -> str:
    """Return ``12,345.68`` with exactly *places* decimals."""
    return _text(value, places=places, signed=signed)


def money_text(value: Number | None, *, currency: str = "", signed: bool = False) -> str:
    """Return an amount without its currency: two decimals, or as many as a coin needs.

    An amount below a cent keeps its first two digits instead of pretending to be nothing.
    """
    if currency.upper() not in _CURRENCIES_WITH_CENTS:
        return quantity_text(value, signed=signed)
    return _text(value, places=2, signed=signed, keep_tiny=True)


def percent_text(value: Number | None, *, places: int = 2, signed: bool = False) -> str:
    """Return the fraction *value* as a percentage: 0.0312 is ``3.12%``."""
    parsed = _parse(value)
    if parsed is None:
        return ABSENT
    return _text(parsed * 100, places=places, signed=signed) + "%"


def quantity_text(value: Number | None, *, signed: bool = False) -> str:
    """Return a size with up to eight decimals and no trailing zeros: ``0.015``."""
    return _text(value, places=_QUANTITY_PLACES, signed=signed, keep_tiny=True, strip=True)


def price_text(value: Number | None, *, tick: Number | None = None) -> str:
    """Return a price with the decimals of *tick*, or with as many as its size asks for."""
    parsed = _parse(value)
    if parsed is None:
        return ABSENT
    step = _parse(tick)
    if step:
        return _text(parsed, places=_decimals_of(step))
    if abs(parsed) >= 1000:
        return _text(parsed, places=2)
    if abs(parsed) >= 1:
        return _text(parsed, places=4)
    return _text(parsed, places=_QUANTITY_PLACES, keep_tiny=True, strip=True)


def duration_text(value: timedelta | Number | None) -> str:
    """Return a length of time, given as such or in seconds, in its two largest units: ``2 h 5 min``."""
    seconds = Decimal(str(value.total_seconds())) if isinstance(value, timedelta) else _parse(value)
    if seconds is None or not seconds.is_finite():
        return ABSENT
    sign, rest = (MINUS, -seconds) if seconds < 0 else ("", seconds)
    if 0 < rest < 1:
        return f"{sign}{int(rest * 1000)} ms"
    whole = int(rest)
    parts: list[tuple[int, str]] = []
    for name, length in _UNITS_S:
        count, whole = divmod(whole, length)
        if count or parts:
            parts.append((count, name))
    shown = [f"{count} {name}" for count, name in parts[:2] if count]
    return sign + (" ".join(shown) or "0 s")


def direction_of(text: str) -> Direction:
    """Tell whether a number that was shown as *text* reads as a gain, a loss or neither."""
    if not any(character in "123456789∞" for character in text):
        return "flat"
    return "loss" if text.startswith(MINUS) else "gain"


def _text(
    value: Number | None,
    *,
    places: int,
    signed: bool = False,
    keep_tiny: bool = False,
    strip: bool = False,
) -> str:
    parsed = _parse(value)
    if parsed is None:
        return ABSENT
    if parsed.is_infinite():
        body = _ENDLESS
    else:
        if keep_tiny and 0 < abs(parsed) < Decimal(1).scaleb(-places):
            places = min(_LARGEST_PLACES, _TINY_DIGITS - 1 - parsed.adjusted())
            strip = True
        rounded = abs(parsed).quantize(Decimal(1).scaleb(-places), context=_CONTEXT)
        body = f"{rounded:,f}"
        if strip and "." in body:
            body = body.rstrip("0").rstrip(".")
    # A number that rounds to nothing has no sign either.
    if direction_of(body) == "flat":
        return body
    if parsed < 0:
        return MINUS + body
    return "+" + body if signed else body


def _parse(value: Number | None) -> Decimal | None:
    """Return *value* exactly as it reads; None for what is absent or not a number."""
    if value is None or value == "":
        return None
    parsed = value if isinstance(value, Decimal) else Decimal(str(value))
    return None if parsed.is_nan() else parsed


def _decimals_of(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
