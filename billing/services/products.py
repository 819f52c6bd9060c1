"""What can be sold: strategies of the catalogue, the plans of an installation, and their prices."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from billing.domain import plans
from billing.models import Interval, Plan, Price, Product
from billing.selectors.entitlements import columns_of
from billing.selectors.products import ProductNotFoundError
from foundation import audit
from foundation.audit import Actor
from foundation.transactions import part_of_transaction, transactional
from market.errors import ConflictError, FieldProblem, InvalidInputError

_INSTALLATION: Final = Actor.system("installation")
_HIGHEST_AMOUNT: Final = Decimal(1_000_000)
_AMOUNT_PLACES: Final = 2
_CURRENCY_LETTERS: Final = 3


class InvalidPriceError(InvalidInputError):
    """A price that nothing can have."""

    code = "invalid_price"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, problems=[FieldProblem(field, self.code, message)])


class FreeForEverybodyError(ConflictError):
    """The default plan is everybody's, so it cannot cost anything."""

    code = "free_for_everybody"

    def __init__(self, name: str) -> None:
        super().__init__(f"Everybody has the plan “{name}”, so it cannot have a price.")


@dataclass(frozen=True, slots=True)
class StrategyOffer:
    """A strategy as the catalogue offers it, or does not any more."""

    slug: str
    name: str
    is_active: bool


@part_of_transaction
def register_strategies(offers: Iterable[StrategyOffer]) -> list[Product]:
    """Return the products ``strategy:<slug>``, made or brought up to date; a repeat changes nothing."""
    return Product.objects.bulk_create(
        [
            Product(
                code=f"strategy:{offer.slug}",
                kind=Product.Kind.STRATEGY,
                name=offer.name,
                is_active=offer.is_active,
            )
            for offer in offers
        ],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["kind", "name", "is_active"],
    )


@transactional
def sync_plans(*, now: datetime) -> tuple[str, ...]:
    """Write down the plans that are missing and return their codes.

    What is there stays as it is: limits, names and ranks are the operator's after the first time.
    """
    added = []
    for definition in plans.DEFINITIONS:
        product, _ = Product.objects.get_or_create(
            code=definition.code, defaults={"kind": Product.Kind.PLAN, "name": definition.name}
        )
        plan, is_new = Plan.objects.get_or_create(
            product=product,
            defaults={
                "is_default": definition.is_default,
                "rank": definition.rank,
                "summary": definition.summary,
                **columns_of(definition.limits),
            },
        )
        if is_new:
            audit.record(
                actor=_INSTALLATION,
                verb="plan.added",
                target=plan,
                detail={"code": definition.code, "at": now.isoformat()},
            )
            added.append(definition.code)
    return tuple(added)


@transactional
def set_price(
    *,
    product_code: str,
    interval: str,
    amount: Decimal | None,
    currency: str = "USD",
    by: Actor,
    now: datetime,
) -> Price | None:
    """End the price in force for *interval* and *currency*, and put *amount* in its place.

    ``amount`` None only ends it. The present amount again changes nothing. Who has subscribed keeps
    what was granted. Raises ProductNotFoundError, InvalidPriceError or FreeForEverybodyError.
    """
    interval, currency = _clean(interval, amount, currency)
    product = Product.objects.select_for_update().filter(code=product_code).first()
    if product is None:
        raise ProductNotFoundError(product_code)
    if amount is not None and Plan.objects.filter(product=product, is_default=True).exists():
        raise FreeForEverybodyError(product.name)
    in_force = Price.objects.filter(
        product=product, interval=interval, currency=currency, valid_to=None
    ).first()
    if in_force is not None and in_force.amount == amount:
        return in_force
    if in_force is not None:
        in_force.valid_to = now
        in_force.save(update_fields=["valid_to"])
    price = None
    if amount is not None:
        price = Price.objects.create(
            product=product, interval=interval, amount=amount, currency=currency, valid_from=now
        )
    audit.record(
        actor=by,
        verb="product.priced",
        target=product,
        detail={
            "interval": interval,
            "currency": currency,
            "was": f"{in_force.amount.normalize():f}" if in_force else None,
            "is": f"{amount.normalize():f}" if amount is not None else None,
        },
    )
    return price


def _clean(interval: str, amount: Decimal | None, currency: str) -> tuple[str, str]:
    if interval not in Interval.values:
        raise InvalidPriceError("interval", f"Choose one of {', '.join(Interval.values)}.")
    letters = currency.strip().upper()
    if len(letters) != _CURRENCY_LETTERS or not (letters.isascii() and letters.isalpha()):
        raise InvalidPriceError("currency", "A currency has three letters, such as USD.")
    if amount is not None:
        if not amount.is_finite() or not 0 < amount <= _HIGHEST_AMOUNT:
            raise InvalidPriceError(
                "amount", f"A price is more than 0 and at most {_HIGHEST_AMOUNT:,}."
            )
        if amount != amount.quantize(Decimal(1).scaleb(-_AMOUNT_PLACES)):
            raise InvalidPriceError("amount", f"A price has at most {_AMOUNT_PLACES} decimals.")
    return interval, letters
