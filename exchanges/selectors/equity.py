"""What accounts are and were worth, in the currency that their owner thinks in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, cast

from django.db.models import Max, Q, QuerySet, Sum

from exchanges.domain.conversion import REFERENCE, Rates, Worth
from exchanges.models import AccountKind, EquitySnapshot, ExchangeAccount
from exchanges.selectors import accounts as accounts_read
from exchanges.selectors import rates as rates_read
from exchanges.selectors.accounts import Owner
from exchanges.selectors.rates import RateBook

#: Up to this long every hour is shown, beyond it the last one of each day.
_HOURLY: Final = timedelta(days=7)
_LAST_HOUR: Final = 23


class Money(StrEnum):
    """Whether something is worth anything outside of the platform; the two are never added."""

    REAL = "REAL"
    PLAY = "PLAY"


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """What an account holds of a currency; ``worth`` is None where no rate is known."""

    currency: str
    free: Decimal
    used: Decimal
    worth: Decimal | None


@dataclass(frozen=True, slots=True)
class AccountEquity:
    """What one account is worth.

    ``amount`` is None without a balance that can be valued; ``unvalued`` are the currencies that are not counted.
    ``told_at`` is when the oldest rate behind it was told.
    """

    amount: Decimal | None
    currency: str
    unvalued: Sequence[str]
    lines: Sequence[BalanceLine]
    told_at: datetime | None


@dataclass(frozen=True, slots=True)
class TotalEquity:
    """What several accounts of one kind of money are worth together."""

    money: Money
    amount: Decimal
    currency: str
    accounts: int
    unvalued: Sequence[str]
    told_at: datetime | None


@dataclass(frozen=True, slots=True)
class Valuation:
    """A person's accounts, valued; ``currency`` is not the one they ``wanted`` where no rate to it is known."""

    wanted: str
    currency: str
    by_account: Mapping[int, AccountEquity]
    totals: Sequence[TotalEquity]


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What a person's accounts of one kind of money were worth in an hour."""

    hour_at: datetime
    money: Money
    amount: Decimal


@dataclass(frozen=True, slots=True)
class EquityHistory:
    """Points in the order of their hours, in one currency."""

    currency: str
    points: Sequence[EquityPoint]


def money_of(account: ExchangeAccount) -> Money:
    """Return what kind of money an account holds."""
    return Money.REAL if account.venue.real_money else Money.PLAY


def value_for(
    owner: Owner,
    *,
    now: datetime,
    accounts: Iterable[ExchangeAccount] | None = None,
    currency: str | None = None,
) -> Valuation:
    """Value accounts of *owner*, by default all that are open, in *currency*, by default the one they chose.

    The accounts come from ``selectors.accounts``; paper accounts hold nothing themselves and are left out.
    """
    wanted = currency or str(getattr(owner, "currency", REFERENCE))
    mine = accounts_read.accounts_for(owner) if accounts is None else accounts
    live = [account for account in mine if account.kind == AccountKind.LIVE]
    book = rates_read.current_rates(currencies={*_held(live), wanted}, now=now)
    shown = wanted if _is_known(book, live, wanted) else REFERENCE
    values = _values(live, book, shown)
    return Valuation(wanted, shown, values, _totals(live, values, shown))


def value_all(
    accounts: Sequence[ExchangeAccount], *, currency: str, now: datetime
) -> dict[int, AccountEquity]:
    """Value live accounts of several people in *currency*; for workers."""
    return _values(
        accounts, rates_read.current_rates(currencies=_held(accounts), now=now), currency
    )


def history_for(
    owner: Owner,
    *,
    since: datetime,
    now: datetime,
    account: ExchangeAccount | None = None,
    currency: str | None = None,
) -> EquityHistory:
    """Return what the accounts of *owner*, or one of them, were worth, hour by hour or day by day.

    An hour for which no rate to *currency* is known is left out; where none is known at all, the reference currency is
    shown.
    """
    wanted = currency or str(getattr(owner, "currency", REFERENCE))
    snapshots = EquitySnapshot.objects.filter(
        owner_id=cast(int, owner.pk), hour_at__gte=since, hour_at__lte=now
    )
    if account is not None:
        snapshots = snapshots.filter(account=account)
    if now - since > _HOURLY:
        newest = snapshots.aggregate(newest=Max("hour_at"))["newest"]
        snapshots = snapshots.filter(Q(hour_at__hour=_LAST_HOUR) | Q(hour_at=newest))
    points = _points(snapshots)
    if wanted == REFERENCE:
        return EquityHistory(REFERENCE, points)
    told = rates_read.history_of(wanted, since=since, until=now)
    converted = [
        EquityPoint(point.hour_at, point.money, point.amount * rate)
        for point in points
        if (rate := told.at(point.hour_at)) is not None
    ]
    if points and not converted:
        return EquityHistory(REFERENCE, points)
    return EquityHistory(wanted, converted)


def _held(live: Sequence[ExchangeAccount]) -> set[str]:
    return {balance.currency for account in live for balance in account.balances.all()}


def _values(
    live: Sequence[ExchangeAccount], book: RateBook, currency: str
) -> dict[int, AccountEquity]:
    tables = {venue_id: book.of(venue_id) for venue_id in {a.venue_id for a in live}}
    return {account.pk: _value(account, tables[account.venue_id], currency) for account in live}


def _points(snapshots: QuerySet[EquitySnapshot]) -> list[EquityPoint]:
    rows = (
        snapshots.values("hour_at", "account__venue__real_money")
        .annotate(total=Sum("equity"))
        .order_by("hour_at", "-account__venue__real_money")
        .values_list("hour_at", "account__venue__real_money", "total")
    )
    return [
        EquityPoint(hour_at, Money.REAL if is_real else Money.PLAY, total)
        for hour_at, is_real, total in rows
    ]


def _is_known(book: RateBook, live: Sequence[ExchangeAccount], currency: str) -> bool:
    """Tell whether the reference currency can be shown in *currency* for every account."""
    venues = {account.venue_id for account in live}
    one = Decimal(1)
    return all(
        book.of(venue).convert(one, currency=REFERENCE, to=currency) is not None for venue in venues
    )


def _value(account: ExchangeAccount, table: Rates, currency: str) -> AccountEquity:
    lines: list[BalanceLine] = []
    found: list[Worth] = []
    for balance in account.balances.all():
        # On venues of swaps this is the margin balance, unrealized results included.
        worth = table.convert(balance.free + balance.used, currency=balance.currency, to=currency)
        amount = None if worth is None else worth.amount
        lines.append(BalanceLine(balance.currency, balance.free, balance.used, amount))
        if worth is not None:
            found.append(worth)
    return AccountEquity(
        amount=sum((worth.amount for worth in found), Decimal(0)) if found else None,
        currency=currency,
        unvalued=[line.currency for line in lines if line.worth is None],
        lines=lines,
        told_at=min((worth.at for worth in found if worth.at is not None), default=None),
    )


def _totals(
    live: Sequence[ExchangeAccount], values: Mapping[int, AccountEquity], currency: str
) -> list[TotalEquity]:
    totals = []
    for money in Money:
        counted = [
            values[account.pk]
            for account in live
            if money_of(account) is money and values[account.pk].amount is not None
        ]
        if not counted:
            continue
        totals.append(
            TotalEquity(
                money=money,
                amount=sum((value.amount or Decimal(0) for value in counted), Decimal(0)),
                currency=currency,
                accounts=len(counted),
                unvalued=sorted({name for value in counted for name in value.unvalued}),
                told_at=min((v.told_at for v in counted if v.told_at is not None), default=None),
            )
        )
    return totals
