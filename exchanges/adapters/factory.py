"""Which client speaks to a venue; the only place where credentials are opened.

Call it outside an event loop and outside a transaction; the client then belongs to ``loops.held``, or in a thread that is
not the main one to one ``asyncio.run``.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

from django.conf import settings

from exchanges.adapters import loops, memory
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.governor import Caller
from exchanges.adapters.paper import PaperVenueClient
from exchanges.adapters.pool import ClientPool, Holder
from exchanges.adapters.protocol import InstrumentReport, MarketData, VenueClient
from exchanges.models import AccountKind, Credential, ExchangeAccount, Instrument, Venue
from foundation.crypto import open_sealed
from foundation.transactions import refuse_inside_transaction
from market.enums import InstrumentKind
from market.errors import PlatformError, VenueError

if TYPE_CHECKING:
    from exchanges.adapters.ccxt_client import CcxtVenueClient
    from exchanges.adapters.connections import Transport

#: The ``ccxt_id`` of a venue that lives in this process.
MEMORY = "memory"

_pool: Final = ClientPool()


class AccountClosedError(VenueError):
    """The account was closed, and its keys were erased."""

    code = "account_closed"
    status = 409

    def __init__(self) -> None:
        super().__init__("This exchange account is closed.")


class CredentialUnavailableError(VenueError):
    """The keys of the account cannot be opened here: none, not for this process, or broken."""

    code = "credential_unavailable"
    status = 503

    def __init__(self, reason: str) -> None:
        super().__init__(f"The API key of this account cannot be used: {reason}.")


def market_data(venue: Venue) -> MarketData:
    """Return a client for the public data of *venue*; no key is opened for it."""
    refuse_inside_transaction("Speaking to a venue")
    if venue.ccxt_id == MEMORY:
        return memory.get_venue(venue.code).client()
    return _http_client(venue, None, caller=Caller(), is_kept=loops.is_kept_here())


def venue_client(account_id: int) -> VenueClient:
    """Return a client in the name of an account.

    Raises AccountClosedError or CredentialUnavailableError; the latter also in a process that does not hold the private
    ring of keys.
    """
    client = venue_clients([account_id])[account_id]
    if isinstance(client, PlatformError):
        raise client
    return client


def venue_clients(account_ids: Collection[int]) -> dict[int, VenueClient | PlatformError]:
    """Return a client for each account, or the error that keeps it from having one, in a fixed number of queries.

    An account whose key cannot be opened must not keep the others from trading.
    """
    refuse_inside_transaction("Speaking to a venue")
    accounts = ExchangeAccount.objects.select_related("venue", "owner").filter(pk__in=account_ids)
    found = {account.pk: account for account in accounts}
    in_use = Credential.objects.filter(account__in=found, replaced_at=None)
    credentials = {credential.account_id: credential for credential in in_use}
    clients: dict[int, VenueClient | PlatformError] = {}
    papers = {account.venue for account in found.values() if account.kind == AccountKind.PAPER}
    rules = {venue.pk: _rules_of(venue) for venue in papers}
    for account_id in account_ids:
        account, credential = found.get(account_id), credentials.get(account_id)
        if account is None:
            raise ExchangeAccount.DoesNotExist(account_id)
        if credential is not None:
            credential.account = account
        try:
            clients[account_id] = _client_of(account, credential, rules=rules)
        except PlatformError as error:
            clients[account_id] = error
    return clients


def _client_of(
    account: ExchangeAccount,
    credential: Credential | None,
    *,
    rules: Mapping[int, Mapping[str, InstrumentReport]],
) -> VenueClient:
    if account.closed_at is not None:
        _pool.forget(account.public_id)
        raise AccountClosedError
    if account.kind == AccountKind.PAPER:
        data = market_data(account.venue)
        return PaperVenueClient(rules=rules[account.venue_id], market_data=data)
    if account.venue.ccxt_id == MEMORY:
        return memory.get_venue(account.venue.code).client(str(account.public_id))
    if credential is None:
        _pool.forget(account.public_id)
        raise CredentialUnavailableError("there is none")
    if not loops.is_kept_here():
        return _make_client(account, credential, is_kept=False)
    holder = Holder(account.public_id, credential.version, account.venue.api_url)
    return _pool.take(holder, lambda: _make_client(account, credential, is_kept=True))


def preload() -> None:
    """Import what speaks to real venues, so that no task waits for it; for workers, before they fork."""
    _import_http_client()


def forget_expired_keys() -> None:
    """Drop the clients whose keys have been open for too long; for workers, from time to time."""
    _pool.forget_expired()


def _make_client(
    account: ExchangeAccount, credential: Credential, *, is_kept: bool
) -> "CcxtVenueClient":
    opened = _open_credential(credential)
    caller = Caller.of(owner_id=account.owner_id, api_key=opened.api_key.reveal())
    return _http_client(account.venue, opened, caller=caller, is_kept=is_kept)


def _http_client(
    venue: Venue, credential: ApiCredential | None, *, caller: Caller, is_kept: bool
) -> "CcxtVenueClient":
    client, transport_for = _import_http_client()
    return client(
        ccxt_id=venue.ccxt_id,
        api_url=venue.api_url,
        credential=credential,
        timeout_s=settings.HORIZONS.venue_timeout_s,
        transport=transport_for(caller, is_kept=is_kept),
    )


def _import_http_client() -> "tuple[type[CcxtVenueClient], Callable[..., Transport]]":
    # ccxt and aiohttp take seconds and a hundred megabytes to import; processes that only name this module, such as the
    # web server, never need them.
    from exchanges.adapters.ccxt_client import CcxtVenueClient  # noqa: PLC0415
    from exchanges.adapters.connections import transport_for  # noqa: PLC0415

    return CcxtVenueClient, transport_for


def _open_credential(credential: Credential) -> ApiCredential:
    try:
        return _open(credential)
    except PlatformError as error:
        raise CredentialUnavailableError(error.code) from None


def _open(credential: Credential) -> ApiCredential:
    passphrase = credential.sealed_passphrase
    return ApiCredential(
        api_key=open_sealed(credential.sealed_api_key, credential.context("api_key")),
        secret=open_sealed(credential.sealed_secret, credential.context("secret")),
        passphrase=open_sealed(passphrase, credential.context("passphrase"))
        if passphrase
        else None,
    )


def _rules_of(venue: Venue) -> dict[str, InstrumentReport]:
    return {row.symbol: _rule_of(row) for row in venue.instruments.all()}


def _rule_of(instrument: Instrument) -> InstrumentReport:
    return InstrumentReport(
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        tick_size=instrument.tick_size,
        lot_step=instrument.lot_step,
        minimum_quantity=instrument.minimum_quantity,
        minimum_notional=instrument.minimum_notional,
        is_active=instrument.is_active,
        kind=InstrumentKind(instrument.kind),
    )
