"""Questions to the catalogue; it is the same for everybody."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches

from django.db.models import OuterRef, Subquery

from billing.selectors.entitlements import Owner, is_entitled
from market.errors import ConflictError
from strategies import registry
from strategies.models import Evidence, Strategy, StrategyVersion
from strategies.registry import Definition, UnknownStrategyError
from strategies.shapes import Requirements


class CatalogueOutOfDateError(ConflictError):
    """The rows describe other code than the one that runs here."""

    code = "catalogue_out_of_date"

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"The catalogue does not describe the present code of “{slug}” yet. "
            "An operator runs `manage.py sync_catalogue`."
        )


def active_strategies() -> Sequence[Strategy]:
    """Return what is offered: featured ones first, then as operators have put them, then by name."""
    return list(Strategy.objects.offered().order_by("-is_featured", "position", "name", "pk"))


def get_strategy(slug: str) -> Strategy:
    """Return the offered strategy called *slug*; raise UnknownStrategyError for any other."""
    try:
        return Strategy.objects.offered().get(slug=slug)
    except Strategy.DoesNotExist:
        raise UnknownStrategyError(slug) from None


def get_strategy_for(reader: Owner, slug: str, *, now: datetime) -> Strategy:
    """Return a strategy that *reader* may read about; raise UnknownStrategyError for any other.

    Everybody reads what is offered; what an operator has retired, whoever has a right to it at *now*.
    """
    try:
        strategy = Strategy.objects.get(slug=slug, is_registered=True)
    except Strategy.DoesNotExist:
        raise UnknownStrategyError(slug) from None
    if strategy.is_offered:
        return strategy
    if reader.pk and is_entitled(reader.pk, strategy.product_code, now=now):
        return strategy
    raise UnknownStrategyError(slug)


def current_version(strategy: Strategy) -> StrategyVersion:
    """Return the newest version; raise CatalogueOutOfDateError if there is none."""
    version = strategy.versions.select_related("strategy").order_by("-number").first()
    if version is None:
        raise CatalogueOutOfDateError(strategy.slug)
    return version


def version_of_code(definition: Definition) -> StrategyVersion:
    """Return the version that describes the code as it runs here.

    Raises UnknownStrategyError for what is not offered, and CatalogueOutOfDateError if the newest
    version describes other code.
    """
    version = current_version(get_strategy(definition.slug))
    if version.code_fingerprint != registry.code_fingerprint(definition):
        raise CatalogueOutOfDateError(definition.slug)
    return version


def needs_of(strategy: Strategy) -> Requirements | None:
    """Return what the strategy needs with its defaults; None if its code is not there any more."""
    try:
        definition = registry.get_definition(strategy.slug)
    except UnknownStrategyError:
        return None
    return definition.requirements(definition.default_params())


def find_wish(*, strategy_id: int) -> Strategy | None:
    """Return the strategy if an operator waits for a backtest of it to show, or None."""
    return Strategy.objects.filter(pk=strategy_id, evidence_requested_at__isnull=False).first()


def evidence_of(strategies: Sequence[Strategy]) -> dict[int, list[Evidence]]:
    """Return what backtests of the newest versions showed, by strategy, by one query.

    First that of the suggested timeframe, then the newest. A version that was not backtested shows
    nothing: what its forerunner did is no evidence for it.
    """
    newest = (
        StrategyVersion.objects.filter(strategy=OuterRef("version__strategy"))
        .order_by("-number")
        .values("pk")[:1]
    )
    rows = (
        Evidence.objects.filter(version__strategy__in=strategies, version=Subquery(newest))
        .select_related("version", "instrument__venue")
        .order_by("-recorded_at", "-pk")
    )
    wanted = {strategy.pk: strategy.suggested_timeframe for strategy in strategies}
    found: dict[int, list[Evidence]] = {pk: [] for pk in wanted}
    for row in rows:
        found[row.version.strategy_id].append(row)
    for pk, each in found.items():
        each.sort(key=lambda row: row.timeframe != wanted[pk])
    return found


def trades_a_day(version_ids: Collection[int]) -> dict[tuple[int, str], Decimal]:
    """Return by version and timeframe the most trades a day that any evidence of it shows."""
    found: dict[tuple[int, str], Decimal] = {}
    for row in Evidence.objects.filter(version_id__in=version_ids).defer("curve"):
        days = Decimal((row.to_at - row.effective_from_at) // timedelta(seconds=1)) / 86_400
        trades = row.metrics.get("values", {}).get("trades")
        if trades is not None and days > 0:
            key = (row.version_id, row.timeframe)
            found[key] = max(found.get(key, Decimal(0)), int(trades) / days)
    return found


def nearest_slugs(slug: str) -> Sequence[str]:
    """Return up to three slugs of the registry that look like *slug*, most alike first."""
    known = [definition.slug for definition in registry.all_definitions()]
    return get_close_matches(slug, known, n=3, cutoff=0.6)
