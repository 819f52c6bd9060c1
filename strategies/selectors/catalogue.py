"""Questions to the catalogue; it is the same for everybody."""

from collections.abc import Sequence
from difflib import get_close_matches

from market.errors import ConflictError
from strategies import registry
from strategies.models import Strategy, StrategyVersion
from strategies.registry import Definition, UnknownStrategyError


class CatalogueOutOfDateError(ConflictError):
    """The rows describe other code than the one that runs here."""

    code = "catalogue_out_of_date"

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"The catalogue does not describe the present code of “{slug}” yet. "
            "An operator runs `manage.py sync_catalogue`."
        )


def active_strategies() -> Sequence[Strategy]:
    """Return what is offered, by name."""
    return list(Strategy.objects.filter(is_active=True).order_by("name", "pk"))


def get_strategy(slug: str) -> Strategy:
    """Return the offered strategy called *slug*; raise UnknownStrategyError for any other."""
    try:
        return Strategy.objects.get(slug=slug, is_active=True)
    except Strategy.DoesNotExist:
        raise UnknownStrategyError(slug) from None


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


def nearest_slugs(slug: str) -> Sequence[str]:
    """Return up to three slugs of the registry that look like *slug*, most alike first."""
    known = [definition.slug for definition in registry.all_definitions()]
    return get_close_matches(slug, known, n=3, cutoff=0.4)
