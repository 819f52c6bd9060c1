"""What the pages of billing show, and the offer that other pages show beside a product."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

from billing.domain.limits import WORDS
from billing.domain.standing import Standing, standing_of
from billing.models import Grant, GrantSource, Plan, Price, Product, Subscription
from billing.providers.registry import find_selling_provider
from billing.selectors import payments, products, subscriptions
from billing.selectors.entitlements import Owner, limits_in
from billing.selectors.usage import LimitUsage, usage_of

#: How many grants the page shows; operators have the rest.
_MOST_GRANTS: Final = 50
#: From this share on, a limit is nearly reached.
_NEARLY: Final = Decimal("0.8")
_STATES: Final = {
    Standing.ACTIVE: ("Active", "gain"),
    Standing.ENDING: ("Canceled, until its end", "warning"),
    Standing.CANCELED: ("Canceled", "neutral"),
    Standing.EXPIRED: ("Expired", "neutral"),
    Standing.DEACTIVATED: ("Deactivated by an operator", "loss"),
}


@dataclass(frozen=True, slots=True)
class State:
    """How a subscription stands, as a badge."""

    code: str
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """One subscription; ``renewal`` is the price at which the person may buy more time, or None."""

    public_id: UUID
    name: str
    kind: str
    state: State
    is_entitling: bool
    started_at: datetime
    ends_at: datetime | None
    over_at: datetime | None
    can_cancel: bool
    can_begin: bool
    product_code: str
    renewal: UUID | None


@dataclass(frozen=True, slots=True)
class PriceLine:
    """What a product costs for a while."""

    public_id: UUID
    amount: Decimal
    currency: str
    per: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as a person meets it: what it costs, whether they have it, and what they may do."""

    product_code: str
    name: str
    prices: Sequence[PriceLine]
    subscription: SubscriptionRow | None
    is_subscribed: bool
    can_subscribe: bool
    can_buy: bool


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit with its bar; ``allowed`` None is no limit, ``used`` None is not counted."""

    title: str
    allowed: int | None
    used: int | None
    tone: str
    counts: str
    resets: str

    @property
    def bar(self) -> int:
        """How far the bar is filled, in its own units."""
        return min(self.used or 0, self.allowed or 0)


@dataclass(frozen=True, slots=True)
class PlanLimit:
    """What a plan allows of one thing; None is no limit."""

    title: str
    allowed: int | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan in the comparison."""

    name: str
    summary: str
    is_mine: bool
    prices: Sequence[PriceLine]
    limits: Sequence[PlanLimit]


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One stretch of time that was given."""

    name: str
    source: str
    given_at: datetime
    from_at: datetime
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class UsagePage:
    """A person's plan, limits, subscriptions and grants."""

    plan: str
    summary: str
    reason: str
    ends_at: datetime | None
    limits: Sequence[LimitRow]
    subscriptions: Sequence[SubscriptionRow]
    grants: Sequence[GrantRow]
    plans: Sequence[PlanRow]


def present_usage(owner: Owner, *, now: datetime) -> UsagePage:
    """Return the usage page of a person."""
    usage = usage_of(owner, now=now)
    mine = list(subscriptions.subscriptions_for(owner))
    of_plan = next((row for row in mine if row.product_id == usage.plan.product_id), None)
    plans = products.plans_on_offer()
    codes = {row.product.code for row in mine} | {plan.product.code for plan in plans}
    offered = payments.prices_for(cast(int, owner.pk), list(codes), now=now)
    prices = {code: [each.price for each in choices] for code, choices in offered.items()}
    rows = [_row(row, prices=prices.get(row.product.code, []), now=now) for row in mine]
    grants = [grant for row in mine for grant in _grants_of(row)]
    return UsagePage(
        plan=usage.plan.product.name,
        summary=usage.plan.summary,
        reason=_reason(owner, usage.plan, of_plan),
        ends_at=of_plan.ends_at if of_plan else None,
        limits=[_limit(line) for line in usage.limits],
        subscriptions=sorted(rows, key=lambda row: not row.is_entitling),
        grants=sorted(grants, key=lambda row: row.given_at, reverse=True)[:_MOST_GRANTS],
        plans=[_plan(plan, usage.plan, prices.get(plan.product.code, [])) for plan in plans],
    )


def present_offer(owner: Owner, *, product_code: str, now: datetime) -> Offer | None:
    """Return the offer of one product to a person, at their price; None if there is no such product."""
    offered = payments.prices_for(owner.pk or 0, [product_code], now=now)
    prices = {code: [each.price for each in choices] for code, choices in offered.items()}
    return _offers(owner, product_codes=[product_code], prices=prices, now=now).get(product_code)


def present_offers(
    owner: Owner, *, product_codes: Collection[str], now: datetime
) -> dict[str, Offer]:
    """Return the offers of several products to a person by code, with three queries in all."""
    prices = products.prices_in_force(product_codes, now=now)
    return _offers(owner, product_codes=product_codes, prices=prices, now=now)


def _offers(
    owner: Owner,
    *,
    product_codes: Collection[str],
    prices: Mapping[str, Sequence[Price]],
    now: datetime,
) -> dict[str, Offer]:
    mine = subscriptions.subscriptions_to(owner, product_codes)
    return {
        product.code: _offer(product, prices.get(product.code, []), mine.get(product.code), now=now)
        for product in products.products_of(product_codes)
    }


def _row(subscription: Subscription, *, prices: Sequence[Price], now: datetime) -> SubscriptionRow:
    product = subscription.product
    standing = standing_of(subscription.status, subscription.ends_at, now=now)
    is_open = product.kind == Product.Kind.STRATEGY and product.is_active and not prices
    is_over = standing in {Standing.CANCELED, Standing.EXPIRED}
    is_bought = bool(prices) and product.is_active and find_selling_provider() is not None
    can_take_time = standing is not Standing.DEACTIVATED and subscription.ends_at is not None
    return SubscriptionRow(
        public_id=subscription.public_id,
        name=product.name,
        kind=product.get_kind_display(),
        state=State(standing.value, *_STATES[standing]),
        is_entitling=standing.entitles,
        started_at=subscription.started_at,
        ends_at=subscription.ends_at,
        over_at=None if standing.entitles else _over_at(subscription),
        can_cancel=standing is Standing.ACTIVE,
        can_begin=standing is Standing.ENDING or (is_over and is_open),
        product_code=product.code,
        renewal=prices[0].public_id if is_bought and can_take_time else None,
    )


def _over_at(subscription: Subscription) -> datetime | None:
    """Return when the right ended: at its end, or before if it was taken away; not when a sweep came."""
    moments = [at for at in (subscription.ends_at, subscription.ended_at) if at is not None]
    return min(moments, default=None)


def _offer(
    product: Product, prices: Sequence[Price], subscription: Subscription | None, *, now: datetime
) -> Offer:
    row = _row(subscription, prices=prices, now=now) if subscription else None
    is_open = product.is_active and product.kind == Product.Kind.STRATEGY and not prices
    return Offer(
        product_code=product.code,
        name=product.name,
        prices=[_price(price) for price in prices],
        subscription=row,
        is_subscribed=row is not None and row.is_entitling,
        can_subscribe=row.can_begin if row else is_open,
        can_buy=bool(prices)
        and product.is_active
        and find_selling_provider() is not None
        and (row is None or not _is_settled_for_good(row)),
    )


def _is_settled_for_good(row: SubscriptionRow) -> bool:
    """Tell whether no time can be bought: it has no end, or an operator took it away."""
    has_no_end = row.is_entitling and row.ends_at is None
    return has_no_end or row.state.code == Standing.DEACTIVATED.value


def _price(price: Price) -> PriceLine:
    return PriceLine(
        price.public_id, price.amount, price.currency, price.get_interval_display().lower()
    )


def _limit(line: LimitUsage) -> LimitRow:
    words = WORDS[line.limit]
    tone = ""
    if line.allowed is not None and line.used is not None:
        if line.used >= line.allowed:
            tone = "loss" if line.allowed else "neutral"
        elif line.used >= line.allowed * _NEARLY:
            tone = "warning"
    return LimitRow(words.title, line.allowed, line.used, tone, words.counts, words.resets)


def _plan(plan: Plan, mine: Plan, prices: Sequence[Price]) -> PlanRow:
    return PlanRow(
        name=plan.product.name,
        summary=plan.summary,
        is_mine=plan.product.code == mine.product.code,
        prices=[_price(price) for price in prices],
        limits=[
            PlanLimit(WORDS[limit].many.capitalize(), allowed)
            for limit, allowed in limits_in(plan).items()
        ],
    )


def _reason(owner: Owner, plan: Plan, subscription: Subscription | None) -> str:
    if getattr(owner, "is_staff", False):
        return "You look after this installation, so you have its highest plan."
    if subscription is None or plan.is_default:
        return "Everybody has this plan, for ever."
    is_bought = any(grant.source == GrantSource.PURCHASE for grant in subscription.grants.all())
    return "You bought it." if is_bought else "An operator gave it to you."


def _grants_of(subscription: Subscription) -> list[GrantRow]:
    return [_grant(subscription.product.name, grant) for grant in subscription.grants.all()]


def _grant(name: str, grant: Grant) -> GrantRow:
    return GrantRow(name, grant.get_source_display(), grant.created_at, grant.from_at, grant.to_at)
