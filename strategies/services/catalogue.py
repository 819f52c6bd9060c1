"""The registry of code, written down as rows that runs and deployments can point to."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.services import products
from billing.services.products import StrategyOffer
from foundation import audit, exclusive
from foundation.transactions import part_of_transaction, transactional
from strategies import parameters, registry
from strategies.models import Strategy, StrategyVersion
from strategies.registry import Definition

_BY = audit.Actor.system("catalogue")


@dataclass(frozen=True, slots=True)
class CatalogueChanges:
    """What a synchronisation did, by slug; a release is a slug and its number."""

    added: tuple[str, ...]
    released: tuple[tuple[str, int], ...]
    withdrawn: tuple[str, ...]


@transactional
def sync_catalogue(*, now: datetime) -> CatalogueChanges:
    """Bring the rows in line with the registry; a repeat changes nothing.

    A strategy whose code or parameters changed gets a new version, the former ones stay. One that
    is no longer in the registry is withdrawn: it keeps its rows and is offered no more. What an
    operator has written or retired stays so.
    """
    definitions = registry.all_definitions()
    # One at a time: the second one waits here, and finds nothing left to do.
    exclusive.wait_for_turn("sync_catalogue")
    strategies, added = _describe_all(definitions)
    released = _release_changed(strategies, definitions, now=now)
    withdrawn = _withdraw_all_but({definition.slug for definition in definitions})
    return CatalogueChanges(added, released, withdrawn)


def texts_of(definition: Definition) -> dict[str, str]:
    """Return what the code says about a strategy, by the columns that an operator may change."""
    return {
        "name": definition.name,
        "category": definition.category.value,
        "risk": definition.risk.value,
        "summary": definition.summary,
        "description": inspect.getdoc(definition.module) or "",
        "suggested_timeframe": definition.timeframe.value,
    }


@part_of_transaction
def register_products(strategies: Iterable[Strategy]) -> None:
    """Have billing know strategies as they are offered now."""
    products.register_strategies(
        StrategyOffer(each.slug, each.name, is_active=each.is_offered) for each in strategies
    )


def _describe_all(
    definitions: Sequence[Definition],
) -> tuple[Mapping[str, Strategy], tuple[str, ...]]:
    """Bring texts and products of all strategies up to date; return the rows, locked, and what was added."""
    known = set(Strategy.objects.values_list("slug", flat=True))
    missing = [each for each in definitions if each.slug not in known]
    Strategy.objects.bulk_create(Strategy(slug=each.slug, **texts_of(each)) for each in missing)
    slugs = [definition.slug for definition in definitions]
    rows = {
        row.slug: row
        for row in Strategy.objects.select_for_update().filter(slug__in=slugs).order_by("pk")
    }
    changed = [each for each in definitions if _describe(rows[each.slug], texts_of(each))]
    fields = [*(texts_of(definitions[0]) if definitions else ()), "is_registered"]
    Strategy.objects.bulk_update([rows[each.slug] for each in changed], fields)
    register_products(rows.values())
    return rows, tuple(each.slug for each in missing)


def _describe(strategy: Strategy, texts: Mapping[str, str]) -> bool:
    """Let *strategy* say what the code does, and be registered; tell whether that changes anything."""
    said = {name: text for name, text in texts.items() if name not in strategy.edited_fields}
    is_changed = not strategy.is_registered or any(
        getattr(strategy, name) != text for name, text in said.items()
    )
    strategy.is_registered = True
    for name, text in said.items():
        setattr(strategy, name, text)
    return is_changed


def _release_changed(
    strategies: Mapping[str, Strategy], definitions: Sequence[Definition], *, now: datetime
) -> tuple[tuple[str, int], ...]:
    # The strategies' rows are locked, so two synchronisations cannot both release.
    newest = StrategyVersion.objects.filter(strategy__in=strategies.values())
    latest = {
        version.strategy_id: version
        for version in newest.order_by("strategy_id", "-number").distinct("strategy_id")
    }
    released: list[tuple[StrategyVersion, Definition]] = []
    for definition in definitions:
        strategy = strategies[definition.slug]
        version = _next_version(strategy, definition, latest.get(strategy.pk))
        if version is not None:
            released.append((version, definition))
    StrategyVersion.objects.bulk_create(version for version, _ in released)
    audit.record_all(
        audit.Deed(
            actor=_BY,
            verb="strategy.released",
            target=version.strategy,
            detail={"number": version.number, "release": definition.version, "at": now.isoformat()},
        )
        for version, definition in released
    )
    return tuple((definition.slug, version.number) for version, definition in released)


def _next_version(
    strategy: Strategy, definition: Definition, latest: StrategyVersion | None
) -> StrategyVersion | None:
    """Return the version that is to be stored, None where the code is as it was."""
    fingerprint = registry.code_fingerprint(definition)
    schema = parameters.with_order(definition.json_schema())
    if latest is not None and (latest.code_fingerprint, latest.parameters_schema) == (
        fingerprint,
        schema,
    ):
        return None
    return StrategyVersion(
        strategy=strategy,
        number=latest.number + 1 if latest is not None else 1,
        code_fingerprint=fingerprint,
        parameters_schema=schema,
    )


def _withdraw_all_but(slugs: set[str]) -> tuple[str, ...]:
    gone = list(
        Strategy.objects.select_for_update()
        .filter(is_registered=True)
        .exclude(slug__in=slugs)
        .order_by("slug")
    )
    for strategy in gone:
        strategy.is_registered = False
    Strategy.objects.bulk_update(gone, ["is_registered"])
    register_products(gone)
    audit.record_all(
        audit.Deed(actor=_BY, verb="strategy.withdrawn", target=strategy) for strategy in gone
    )
    return tuple(strategy.slug for strategy in gone)
