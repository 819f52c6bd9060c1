"""What is offered, and what it costs."""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import Q, QuerySet

from billing.models import Plan, Price, Product
from market.errors import NotFoundError


class ProductNotFoundError(NotFoundError):
    """There is no product of this code."""

    code = "product_not_found"

    def __init__(self, product_code: str) -> None:
        super().__init__(f"There is no product “{product_code[:40]}”.")


def find_product(code: str) -> Product | None:
    """Return the product of a code, offered or not, or None."""
    if not code.isprintable():
        # The database refuses to be asked for some of these.
        return None
    return Product.objects.filter(code=code).first()


def get_product(code: str) -> Product:
    """Return the product of a code, offered or not; raise ProductNotFoundError if there is none."""
    product = find_product(code)
    if product is None:
        raise ProductNotFoundError(code)
    return product


def products_of(codes: Collection[str]) -> Sequence[Product]:
    """Return the products of some codes, offered or not; unknown codes are left out."""
    return list(Product.objects.filter(code__in=codes).order_by("code"))


def plans_on_offer() -> Sequence[Plan]:
    """Return the plans that people can have, the smallest first."""
    offered = Plan.objects.filter(product__is_active=True).select_related("product")
    return list(offered.order_by("rank", "pk"))


def prices_in_force(product_codes: Collection[str], *, now: datetime) -> dict[str, list[Price]]:
    """Return the prices that hold at *now* by product code, monthly ones first; by one query.

    A product that is missing has no price: a strategy is then free.
    """
    found: dict[str, list[Price]] = {}
    rows = _in_force(now=now).filter(product__code__in=product_codes).select_related("product")
    for price in rows.order_by("interval", "currency", "pk"):
        found.setdefault(price.product.code, []).append(price)
    return found


def has_price(product: Product, *, now: datetime) -> bool:
    """Tell whether a product costs something at *now*."""
    return _in_force(now=now).filter(product=product).exists()


def has_ever_priced(product_codes: Collection[str]) -> bool:
    """Tell whether any of the products has a price or had one."""
    return Price.objects.filter(product__code__in=product_codes).exists()


def _in_force(*, now: datetime) -> QuerySet[Price]:
    return Price.objects.filter(Q(valid_to=None) | Q(valid_to__gt=now), valid_from__lte=now)
