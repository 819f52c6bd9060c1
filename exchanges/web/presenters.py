"""What the pages of exchange accounts show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from exchanges.adapters import abilities, key_guides
from exchanges.domain.guides import ConnectGuide
from exchanges.domain.testing import DECLARATION_NEEDED
from exchanges.models import AccountKind, AccountStatus, ExchangeAccount, Venue
from exchanges.selectors import accounts, connecting
from exchanges.selectors.equity import AccountEquity
from exchanges.web.equity import AccountEquityPage, present_equity
from market.enums import OrderType


@dataclass(frozen=True, slots=True)
class VenueChoice:
    """A venue at which an account can be connected."""

    code: str
    name: str
    real_money: bool
    needs_passphrase: bool
    tells_permissions: bool
    orders: str


@dataclass(frozen=True, slots=True)
class PaperOnlyVenue:
    """A venue that takes no keys; ``because`` is the end of a sentence."""

    name: str
    because: str


@dataclass(frozen=True, slots=True)
class GuidePage:
    """What to do at a venue before its key is entered here; ``addresses`` is empty where nobody has set them."""

    venue: VenueChoice
    where: str
    allow: Sequence[str]
    never: Sequence[str]
    hints: Sequence[str]
    addresses: Sequence[str]


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One account; ``status`` is the code for the badge, ``last_four`` empty if there is no key."""

    public_id: UUID
    label: str
    venue: str
    is_paper: bool
    real_money: bool
    status: str
    status_label: str
    code: str
    message: str
    tone: str
    last_four: str
    is_being_tested: bool
    is_usable: bool
    is_unverified: bool
    awaits_declaration: bool
    declared_at: datetime | None
    is_closed: bool
    version: int
    tested_at: datetime | None
    connected_at: datetime | None
    closed_at: datetime | None
    equity: AccountEquityPage | None
    balances_at: datetime | None


def present_choice(venue: Venue) -> VenueChoice:
    """Return a venue as one of several to choose from."""
    guide = key_guides.guide_for(venue)
    return VenueChoice(
        code=venue.code,
        name=venue.name,
        real_money=venue.real_money,
        needs_passphrase=guide.needs_passphrase,
        tells_permissions=guide.tells_permissions,
        orders=_orders_text(abilities.abilities_of(venue)),
    )


def present_paper_only(venue: Venue) -> PaperOnlyVenue:
    """Return a venue that serves market data and paper alone, with the reason."""
    return PaperOnlyVenue(venue.name, abilities.abilities_of(venue).no_keys_because)


def _orders_text(able: abilities.Abilities) -> str:
    """Return the types of orders in words, and whether the exchange cancels them when the platform is silent."""
    types = [kind.replace("_", " ").lower() for kind in OrderType if kind in able.order_types]
    types += ["post-only"] * able.has_post_only
    silent = "; canceled when the platform is silent" if able.has_dead_man else ""
    return f"{', '.join(types).capitalize()}{silent}"


def present_guide(venue: Venue, guide: ConnectGuide) -> GuidePage:
    """Return how a key for *venue* is made."""
    return GuidePage(
        venue=present_choice(venue),
        where=guide.where,
        allow=guide.allow,
        never=guide.never,
        hints=guide.hints,
        addresses=connecting.egress_addresses(),
    )


def present_account(account: ExchangeAccount, value: AccountEquity | None = None) -> AccountPage:
    """Return the page of an account that came from the selectors; *value* is what it is worth, if it holds anything."""
    credential = accounts.credential_in_use(account)
    balances = list(account.balances.all())
    is_closed = account.closed_at is not None
    is_refused = account.status in {AccountStatus.INVALID, AccountStatus.DISABLED}
    return AccountPage(
        public_id=account.public_id,
        label=account.label,
        venue=account.venue.name,
        is_paper=account.kind == AccountKind.PAPER,
        real_money=account.venue.real_money and account.kind == AccountKind.LIVE,
        status="CLOSED" if is_closed else account.status,
        status_label="Closed" if is_closed else account.get_status_display(),
        code=account.status_code,
        message="" if is_closed else account.status_message,
        tone="loss" if is_refused else "warning",
        last_four=credential.last_four if credential else "",
        is_being_tested=account.is_being_tested,
        is_usable=account.is_usable,
        is_unverified=account.is_unverified,
        awaits_declaration=not is_closed and account.status_code == DECLARATION_NEEDED,
        declared_at=credential.declared_at if credential else None,
        is_closed=is_closed,
        version=account.version,
        tested_at=account.tested_at,
        connected_at=account.connected_at,
        closed_at=account.closed_at,
        equity=present_equity(value) if value and not is_closed else None,
        balances_at=max((b.venue_at for b in balances), default=None),
    )
