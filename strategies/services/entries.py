"""What operators decide about an entry of the catalogue: its texts, its place, and whether it is offered."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from foundation import audit
from foundation.audit import Actor
from foundation.transactions import transactional
from market.errors import ConflictError, FieldProblem, InvalidInputError, NotFoundError
from market.timeframes import Timeframe
from strategies import registry
from strategies.models import Strategy
from strategies.registry import UnknownStrategyError
from strategies.services import catalogue
from strategies.shapes import Category, Risk

_LAST_POSITION: Final = 9_999
_DESCRIPTION_LENGTH: Final = 10_000


class EntryNotFoundError(NotFoundError):
    """There is no such entry of the catalogue."""

    code = "entry_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such strategy.")


class InvalidEntryError(InvalidInputError):
    """An entry that the catalogue cannot show; ``problems`` names each field."""

    code = "invalid_entry"


class NotInCodeError(ConflictError):
    """The code of the strategy is gone, so nobody can be offered it."""

    code = "strategy_not_in_code"

    def __init__(self, name: str) -> None:
        super().__init__(f"The code of “{name}” is not installed any more.")


@transactional
def edit_entry(
    *,
    strategy_id: int,
    name: str,
    category: str,
    risk: str,
    summary: str,
    description: str,
    suggested_timeframe: str,
    position: int,
    is_featured: bool,
    by: Actor,
    now: datetime,
) -> Strategy:
    """Change what the catalogue says; what is changed is kept when the code says something else later.

    Raises InvalidEntryError with every problem. The slug, the code and its versions stay.
    """
    wanted = {
        "name": name.strip(),
        "category": category,
        "risk": risk,
        "summary": summary.strip(),
        "description": description.strip().replace("\r\n", "\n"),
        "suggested_timeframe": suggested_timeframe,
        "position": position,
        "is_featured": is_featured,
    }
    _refuse_invalid(wanted)
    return _change(_lock(strategy_id), wanted, verb="strategy.edited", by=by, now=now)


@transactional
def reset_entry(*, strategy_id: int, by: Actor, now: datetime) -> Strategy:
    """Take the code's own texts again, and follow the code from now on; raise NotInCodeError without code."""
    strategy = _lock(strategy_id)
    try:
        texts = catalogue.texts_of(registry.get_definition(strategy.slug))
    except UnknownStrategyError:
        raise NotInCodeError(strategy.name) from None
    strategy.edited_fields = []
    return _change(strategy, texts, verb="strategy.reset", by=by, now=now, is_edit=False)


@transactional
def set_active(*, strategy_id: int, is_active: bool, by: Actor, now: datetime) -> Strategy:
    """Offer a strategy, or retire it: nobody can choose it any more, and what runs goes on.

    A repeat changes nothing. Raises NotInCodeError for one that cannot be offered.
    """
    strategy = _lock(strategy_id)
    if strategy.is_active == is_active:
        return strategy
    if is_active and not strategy.is_registered:
        raise NotInCodeError(strategy.name)
    strategy.is_active = is_active
    strategy.save(update_fields=["is_active"])
    catalogue.register_products([strategy])
    audit.record(
        actor=by,
        verb="strategy.activated" if is_active else "strategy.retired",
        target=strategy,
        detail={"slug": strategy.slug, "at": now.isoformat()},
    )
    return strategy


def _change(
    strategy: Strategy,
    wanted: Mapping[str, Any],
    *,
    verb: str,
    by: Actor,
    now: datetime,
    is_edit: bool = True,
) -> Strategy:
    old = {name: getattr(strategy, name) for name in wanted}
    changed = [name for name in wanted if wanted[name] != old[name]]
    for name in changed:
        setattr(strategy, name, wanted[name])
    if is_edit:
        strategy.edited_fields = sorted({*strategy.edited_fields, *changed})
    strategy.save(update_fields=[*changed, "edited_fields"])
    if changed:
        catalogue.register_products([strategy])
        audit.record(
            actor=by,
            verb=verb,
            target=strategy,
            detail={
                "slug": strategy.slug,
                "old": {name: old[name] for name in changed},
                "new": {name: wanted[name] for name in changed},
                "at": now.isoformat(),
            },
        )
    return strategy


def _lock(strategy_id: int) -> Strategy:
    strategy = Strategy.objects.select_for_update().filter(pk=strategy_id).first()
    if strategy is None:
        raise EntryNotFoundError
    return strategy


def _refuse_invalid(wanted: dict[str, Any]) -> None:
    problems = []
    for name, longest in (("name", 100), ("summary", 300)):
        text = wanted[name]
        if not text:
            problems.append(FieldProblem(name, "required", "This cannot be empty."))
        elif len(text) > longest or not text.isprintable():
            message = f"Use one line of at most {longest} characters."
            problems.append(FieldProblem(name, "invalid", message))
    if len(wanted["description"]) > _DESCRIPTION_LENGTH:
        message = f"At most {_DESCRIPTION_LENGTH:,} characters fit."
        problems.append(FieldProblem("description", "too_long", message))
    if "\x00" in wanted["description"]:
        problems.append(FieldProblem("description", "invalid", "This has characters of no script."))
    for name, vocabulary in (
        ("category", Category),
        ("risk", Risk),
        ("suggested_timeframe", Timeframe),
    ):
        if wanted[name] not in {member.value for member in vocabulary}:
            problems.append(FieldProblem(name, "unknown", "Choose one of the list."))
    if not 0 <= wanted["position"] <= _LAST_POSITION:
        message = f"Use a number from 0 to {_LAST_POSITION:,}."
        problems.append(FieldProblem("position", "out_of_range", message))
    if problems:
        message = " ".join(problem.message for problem in problems)
        raise InvalidEntryError(message, problems=problems)
