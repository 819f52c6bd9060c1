"""The limits that a person sets for a deployment, an exchange account, or everything of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from foundation import audit
from foundation.audit import Actor
from foundation.transactions import part_of_transaction, transactional
from market.errors import FieldProblem, InvalidInputError
from trading.domain.protections import Limits
from trading.models import ProtectionLimits, ProtectionMark, RestrictionScope
from trading.selectors import limits as selectors
from trading.services.restrictions import Target

_MINUTES_OF_A_WEEK: Final = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class LimitInfo:
    """One limit as people set it: its name, what it is called, what it does, and its bounds."""

    name: str
    title: str
    text: str
    unit: str
    low: Decimal
    high: Decimal
    is_whole: bool
    usual: str = ""

    @property
    def hint(self) -> str:
        """What an empty field means: the value that holds then, if any does."""
        return f"{self.usual} if empty" if self.usual else "no limit"


_WHOLE: Final = frozenset({"minutes", "trades", "stops", "positions", "orders", "seconds", "ms"})


def _info(
    name: str, title: str, unit: str, low: str, high: str, text: str, usual: str = ""
) -> LimitInfo:
    return LimitInfo(name, title, text, unit, Decimal(low), Decimal(high), unit in _WHOLE, usual)


_WEEK: Final = str(_MINUTES_OF_A_WEEK)

#: Every limit, in the order of the form.
LIMITS: Final = (
    _info(
        "max_daily_loss_percent",
        "Largest loss of a day",
        "%",
        "0.01",
        "100",
        "No entries until the next UTC day once so much is lost, open positions included.",
    ),
    _info(
        "max_drawdown_percent",
        "Largest drawdown",
        "%",
        "0.01",
        "100",
        "No entries once equity is so far below its best, until you let it go on.",
    ),
    _info(
        "stop_guard_stops",
        "Stops that cause a pause",
        "stops",
        "1",
        "50",
        "So many exits by stop within the window below cause a pause.",
    ),
    _info(
        "stop_guard_window_minutes",
        "Window for stops",
        "minutes",
        "1",
        _WEEK,
        "Within so long.",
        "1440",
    ),
    _info(
        "losing_streak_trades",
        "Losses in a row that cause a pause",
        "trades",
        "1",
        "50",
        "Exits that lose, one after the other.",
    ),
    _info(
        "low_profit_trades",
        "Trades before a market is judged",
        "trades",
        "1",
        "50",
        "A market with so many exits within the window has to earn what is asked below.",
    ),
    _info(
        "low_profit_percent",
        "Least profit of a market",
        "%",
        "-100",
        "100",
        "Of the capital, within the window.",
        "0",
    ),
    _info(
        "low_profit_window_minutes",
        "Window for a market's profit",
        "minutes",
        "1",
        _WEEK,
        "Within so long.",
        "1440",
    ),
    _info(
        "pause_minutes",
        "Length of a pause",
        "minutes",
        "1",
        _WEEK,
        "How long stops, losses or a poor market keep entries away.",
        "60",
    ),
    _info(
        "exit_cooldown_minutes",
        "Pause after an exit",
        "minutes",
        "1",
        _WEEK,
        "No entry in a market for so long after leaving it.",
    ),
    _info(
        "max_exposure_percent",
        "Largest exposure",
        "%",
        "0.01",
        "10000",
        "What is open and what is being opened, as a part of the capital.",
    ),
    _info(
        "max_open_positions",
        "Open positions",
        "positions",
        "1",
        "1000",
        "At most so many at once.",
    ),
    _info(
        "max_open_orders",
        "Open entry orders",
        "orders",
        "1",
        "1000",
        "At most so many entries that wait or work at once.",
    ),
    _info(
        "price_band_percent",
        "Price band",
        "%",
        "0.01",
        "100",
        "An entry further from the last price is refused. Live accounts only.",
        "10",
    ),
    _info(
        "max_spread_bps",
        "Widest spread",
        "bps",
        "0.01",
        "10000",
        "No entry while bid and ask are further apart. Live accounts only.",
    ),
    _info(
        "stale_after_seconds",
        "Oldest data",
        "seconds",
        "1",
        "60",
        "No entry on a bar that closed longer ago. Live accounts only.",
        "15 to 60, by the timeframe",
    ),
    _info(
        "max_clock_skew_ms",
        "Largest difference of clocks",
        "ms",
        "1",
        "2000",
        "No entry while the exchange's clock is further from ours. Live accounts only.",
        "2000",
    ),
)

_NAMES: Final = tuple(each.name for each in fields(Limits))


@transactional
def save_limits(
    *, target: Target, owner_id: int, values: Mapping[str, Any], by: Actor, now: datetime
) -> Limits:
    """Replace the limits of *target*, which is *owner_id*'s; a name left out, or None, is no limit.

    Raises InvalidInputError with a problem for each value that cannot be.
    """
    return store_limits(target=target, owner_id=owner_id, values=values, by=by, now=now)


@part_of_transaction
def store_limits(
    *, target: Target, owner_id: int, values: Mapping[str, Any], by: Actor, now: datetime
) -> Limits:
    """Do what ``save_limits`` does within the transaction of a caller."""
    wanted = checked_limits(values)
    row = ProtectionLimits.objects.select_for_update().filter(target_key=target.key).first()
    before = Limits() if row is None else selectors.limits_of(row)
    if row is None:
        row = ProtectionLimits(target_key=target.key, owner_id=owner_id)
        _, _, key = target.key.partition(":")
        if target.scope is RestrictionScope.ACCOUNT:
            row.account_id = int(key)
        elif target.scope is RestrictionScope.DEPLOYMENT:
            row.deployment_id = int(key)
    for name in _NAMES:
        setattr(row, name, getattr(wanted, name))
    row.updated_at = now
    if wanted == Limits():
        if row.pk is not None:
            row.delete()
        ProtectionMark.objects.filter(target_key=target.key).delete()
    else:
        row.save()
    changed = {
        name: [_shown(getattr(before, name)), _shown(getattr(wanted, name))]
        for name in _NAMES
        if getattr(before, name) != getattr(wanted, name)
    }
    if changed:
        audit.record(
            actor=by,
            verb="trading.limits_changed",
            target=ProtectionLimits,
            owner_id=owner_id,
            detail={"where": target.key, "changed": changed},
        )
    return wanted


def checked_limits(values: Mapping[str, Any]) -> Limits:
    """Return *values* as limits; raise InvalidInputError with a problem for each that cannot be."""
    problems = problems_of(values)
    if problems:
        raise InvalidInputError(" ".join(each.message for each in problems), problems=problems)
    found: dict[str, Decimal | int] = {}
    for info in LIMITS:
        if _is_given(values.get(info.name)):
            value = Decimal(str(values[info.name]))
            found[info.name] = int(value) if info.is_whole else value
    return Limits(**found)  # type: ignore[arg-type]  # whole numbers where whole ones are meant


def problems_of(values: Mapping[str, Any], *, prefix: str = "") -> list[FieldProblem]:
    """Return what is wrong with *values* as limits, each named with *prefix* before it."""
    problems = [
        FieldProblem(prefix + name[:40], "unknown_field", "There is no such limit.")
        for name in sorted(set(values) - set(_NAMES))
    ]
    for info in LIMITS:
        given = values.get(info.name)
        problem = _problem(info, given) if _is_given(given) else None
        if problem is not None:
            problems.append(FieldProblem(prefix + problem.field, problem.code, problem.message))
    return problems


def _is_given(value: object) -> bool:
    return value is not None and value != ""


def _problem(info: LimitInfo, given: object) -> FieldProblem | None:
    try:
        value = Decimal(str(given)) if not isinstance(given, bool) else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        return FieldProblem(info.name, "not_a_number", f"{info.title}: write a number.")
    if info.is_whole and value != value.to_integral_value():
        return FieldProblem(info.name, "not_whole", f"{info.title}: write a whole number.")
    if not info.low <= value <= info.high:
        text = f"{info.title}: write {info.low} to {info.high} {info.unit}."
        return FieldProblem(info.name, "out_of_range", text)
    if -value.as_tuple().exponent > 4:  # type: ignore[operator]  # finite, so a number
        return FieldProblem(info.name, "too_precise", f"{info.title}: at most four decimals.")
    return None


def _shown(value: Decimal | int | None) -> str | None:
    return None if value is None else f"{Decimal(value).normalize():f}"
