"""The registry of code, written down as rows that runs and deployments can point to."""

import inspect
from dataclasses import dataclass
from datetime import datetime

from billing.services import products
from foundation import audit
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
    added, released = [], []
    definitions = registry.all_definitions()
    for definition in definitions:
        strategy, is_new = _describe(definition)
        if is_new:
            added.append(definition.slug)
        version = _release_if_changed(strategy, definition, now=now)
        if version is not None:
            released.append((definition.slug, version.number))
    withdrawn = _withdraw_all_but({definition.slug for definition in definitions})
    return CatalogueChanges(tuple(added), tuple(released), withdrawn)


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
def register_product(strategy: Strategy) -> None:
    """Have billing know the strategy as it is offered now."""
    products.register_strategy(
        slug=strategy.slug, name=strategy.name, is_active=strategy.is_offered
    )


def _describe(definition: Definition) -> tuple[Strategy, bool]:
    texts = texts_of(definition)
    row, is_new = Strategy.objects.get_or_create(slug=definition.slug, defaults=texts)
    strategy = Strategy.objects.select_for_update().get(pk=row.pk)
    kept = set(strategy.edited_fields)
    for name, text in texts.items():
        if name not in kept:
            setattr(strategy, name, text)
    strategy.is_registered = True
    strategy.save(update_fields=[*texts, "is_registered"])
    register_product(strategy)
    return strategy, is_new


def _release_if_changed(
    strategy: Strategy, definition: Definition, *, now: datetime
) -> StrategyVersion | None:
    # The strategy's row is locked, so two synchronisations cannot both release.
    latest = strategy.versions.order_by("-number").first()
    fingerprint = registry.code_fingerprint(definition)
    schema = parameters.with_order(definition.json_schema())
    if (
        latest is not None
        and latest.code_fingerprint == fingerprint
        and latest.parameters_schema == schema
    ):
        return None
    version = StrategyVersion.objects.create(
        strategy=strategy,
        number=latest.number + 1 if latest is not None else 1,
        code_fingerprint=fingerprint,
        parameters_schema=schema,
    )
    audit.record(
        actor=_BY,
        verb="strategy.released",
        target=strategy,
        detail={"number": version.number, "release": definition.version, "at": now.isoformat()},
    )
    return version


def _withdraw_all_but(slugs: set[str]) -> tuple[str, ...]:
    gone = Strategy.objects.select_for_update().filter(is_registered=True).exclude(slug__in=slugs)
    withdrawn = []
    for strategy in gone.order_by("slug"):
        strategy.is_registered = False
        strategy.save(update_fields=["is_registered"])
        register_product(strategy)
        audit.record(actor=_BY, verb="strategy.withdrawn", target=strategy)
        withdrawn.append(strategy.slug)
    return tuple(withdrawn)
