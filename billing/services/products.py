"""What the apps above offer becomes something that a person can have a right to."""

from billing.models import Product
from foundation.transactions import part_of_transaction


@part_of_transaction
def register_strategy(*, slug: str, name: str, is_active: bool) -> Product:
    """Return the product ``strategy:<slug>``, made or brought up to date; a repeat changes nothing."""
    product, _ = Product.objects.update_or_create(
        code=f"strategy:{slug}",
        defaults={"kind": Product.Kind.STRATEGY, "name": name, "is_active": is_active},
    )
    return product
