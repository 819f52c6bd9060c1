"""Who sends a signed request, and whether it may: the same door for both protocols."""

from collections.abc import Callable

from exchanges.simulator import errors, signatures
from exchanges.simulator.orders import Account, Permission
from exchanges.simulator.requests import Answer, Handler, Request
from exchanges.simulator.store import Store

SignedHandler = Callable[[Request, Account], Answer]


class Door:
    """Lets signed requests in; each first lets the market do what it has done until now."""

    def __init__(self, store: Store, settle: Callable[[int], None]) -> None:
        """*settle* lets everything happen that happens until an instant in milliseconds."""
        self._store = store
        self._settle = settle

    def signed(self, handler: SignedHandler, permission: Permission) -> Handler:
        """Return *handler* behind the checks of key, time, signature and *permission*."""

        def checked(request: Request) -> Answer:
            if request.mishaps.under_maintenance:
                raise errors.under_maintenance()
            account = self._authenticate(request, permission)
            self._settle(request.now_ms)
            return handler(request, account)

        return checked

    def _authenticate(self, request: Request, permission: Permission) -> Account:
        api_key = request.headers.get("x-mbx-apikey", "")
        if not signatures.is_well_formed_key(api_key):
            raise errors.bad_key_format()
        account = self._store.find_account(api_key)
        if account is None or not account.permissions:
            raise errors.rejected_key()
        signatures.verify_timestamp(request.parameters, now_ms=request.venue_ms)
        signatures.verify_signature(
            query=request.query,
            body=request.body,
            secret=account.secret,
            parameters=request.parameters,
        )
        if permission not in account.permissions:
            raise errors.rejected_key()
        return account
