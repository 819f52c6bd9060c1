"""Which client speaks to a venue; the only place where credentials are opened.

Call it outside an event loop and outside a transaction; the client then belongs to one ``asyncio.run``.
"""

from typing import TYPE_CHECKING

from django.conf import settings

from exchanges.adapters import memory
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.paper import PaperVenueClient
from exchanges.adapters.protocol import InstrumentReport, MarketData, VenueClient
from exchanges.models import AccountKind, Credential, ExchangeAccount, Instrument, Venue
from foundation.crypto import open_sealed
from foundation.transactions import refuse_inside_transaction
from market.errors import PlatformError, VenueError

if TYPE_CHECKING:
    from exchanges.adapters.ccxt_client import CcxtVenueClient

#: The ``ccxt_id`` of a venue that lives in this process.
MEMORY = "memory"


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
    return _http_client(venue, None)


def venue_client(account_id: int) -> VenueClient:
    """Return a client in the name of an account.

    Raises AccountClosedError or CredentialUnavailableError; the latter also in a process that does not hold the private
    ring of keys.
    """
    refuse_inside_transaction("Speaking to a venue")
    account = ExchangeAccount.objects.select_related("venue", "owner").get(pk=account_id)
    if account.closed_at is not None:
        raise AccountClosedError
    if account.kind == AccountKind.PAPER:
        rules = {row.symbol: row for row in map(_rules_of, account.venue.instruments.all())}
        return PaperVenueClient(rules=rules, market_data=market_data(account.venue))
    if account.venue.ccxt_id == MEMORY:
        return memory.get_venue(account.venue.code).client(str(account.public_id))
    return _http_client(account.venue, _open_credential(account))


def preload() -> None:
    """Import what speaks to real venues, so that no task waits for it; for workers, before they fork."""
    _import_http_client()


def _http_client(venue: Venue, credential: ApiCredential | None) -> VenueClient:
    return _import_http_client()(
        ccxt_id=venue.ccxt_id,
        api_url=venue.api_url,
        credential=credential,
        timeout_s=settings.HORIZONS.venue_timeout_s,
    )


def _import_http_client() -> "type[CcxtVenueClient]":
    # ccxt and aiohttp take seconds and a hundred megabytes to import; processes that only name this module, such as the
    # web server, never need them.
    from exchanges.adapters.ccxt_client import CcxtVenueClient  # noqa: PLC0415

    return CcxtVenueClient


def _open_credential(account: ExchangeAccount) -> ApiCredential:
    credential = (
        Credential.objects.select_related("account__owner")
        .filter(account=account, replaced_at=None)
        .first()
    )
    if credential is None:
        raise CredentialUnavailableError("there is none")
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


def _rules_of(instrument: Instrument) -> InstrumentReport:
    return InstrumentReport(
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        tick_size=instrument.tick_size,
        lot_step=instrument.lot_step,
        minimum_quantity=instrument.minimum_quantity,
        minimum_notional=instrument.minimum_notional,
        is_active=instrument.is_active,
    )
