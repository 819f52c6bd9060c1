"""What no real exchange offers: creating accounts, scripting prices and programming faults.

Everything but the status needs the administrator's token, and a client on the same machine.
"""

import hmac
import json
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Any

from exchanges.simulator.accounts import AccountSpecification, SpecificationError
from exchanges.simulator.faults import Faults
from exchanges.simulator.instruments import present_number
from exchanges.simulator.recordings import RecordingError, Script
from exchanges.simulator.requests import Answer, Handler, Request, Routes
from exchanges.simulator.rules import FaultError
from exchanges.simulator.truth import read_truth
from exchanges.simulator.world import World


class AdminApi:
    """Handlers under ``/simulator/``."""

    def __init__(self, world: World, faults: Faults, *, token: str) -> None:
        """Serve *world*; with an empty *token* nothing but the status is served."""
        self._world = world
        self._faults = faults
        self._token = token

    def routes(self) -> Routes:
        """Return the handlers by method and path."""
        return {
            ("GET", "/simulator/status"): self.status,
            ("POST", "/simulator/accounts"): self._guarded(self.create_account),
            ("POST", "/simulator/script"): self._guarded(self.script_prices),
            ("POST", "/simulator/funding"): self._guarded(self.fix_funding),
            ("POST", "/simulator/faults"): self._guarded(self.program_fault),
            ("DELETE", "/simulator/faults"): self._guarded(self.clear_faults),
            ("GET", "/simulator/truth"): self._guarded(self.tell_truth),
        }

    def status(self, request: Request) -> Answer:
        """Tell what is simulated and how much has happened."""
        exchange = self._world.exchange
        prices = {
            market.instrument.name: present_number(exchange.price(symbol, now_ms=request.now_ms))
            for symbol, market in exchange.markets.items()
        }
        return Answer.of(
            {
                "now_ms": request.now_ms,
                "anchor_ms": self._world.anchor_ms,
                "prices": prices,
                "accounts": exchange.store.count_accounts(),
                "faults": len(self._faults),
                **exchange.store.totals(),
            }
        )

    def create_account(self, request: Request) -> Answer:
        """Create an account; a known key keeps its balances."""
        document = _read_json(request)
        try:
            specification = AccountSpecification.parse(document)
        except SpecificationError as error:
            return _refused(str(error))
        is_new = self._world.open_account(specification, now_ms=request.now_ms)
        return Answer.of({"created": is_new}, status=201 if is_new else 200)

    def script_prices(self, request: Request) -> Answer:
        """Replace the prices of the named markets from now on; what was served stays."""
        try:
            script = Script.parse(_read_json(request))
            start_ms = self._world.follow_script(script, now_ms=request.now_ms)
        except RecordingError as error:
            return _refused(str(error))
        return Answer.of({"start_ms": start_ms})

    def fix_funding(self, request: Request) -> Answer:
        """Pay a given rate at each funding of a swap from now on: ``{"symbol", "rate"}``."""
        document = _read_json(request)
        try:
            rate = Decimal(str(document["rate"]))
            if abs(rate) > 1:
                return _refused("A funding rate lies between -1 and 1.")
            self._world.settle(now_ms=request.now_ms)
            self._world.futures.fix_funding_rate(str(document["symbol"]), rate)
        except (KeyError, TypeError, InvalidOperation) as error:
            return _refused(f"A funding rate is set with symbol and rate: {error!r}.")
        return Answer.of({"symbol": document["symbol"], "rate": str(rate)})

    def program_fault(self, request: Request) -> Answer:
        """Add a rule to the fault program, or all the rules of a program."""
        try:
            self._faults.program(_read_json(request))
        except FaultError as error:
            return _refused(str(error))
        return Answer.of({"faults": len(self._faults)})

    def clear_faults(self, request: Request) -> Answer:
        """Forget the fault program, list what was delisted and restore the rules for orders."""
        self._faults.clear()
        self._world.restore_rules()
        return Answer.of({"faults": 0})

    def tell_truth(self, request: Request) -> Answer:
        """Tell everything that happened, to one ``account`` (an API key) or to all."""
        self._world.settle(now_ms=request.now_ms)
        database = self._world.exchange.store.database
        return Answer.of(read_truth(database, account=request.parameters.peek("account")))

    def _guarded(self, handler: Handler) -> Handler:
        def checked(request: Request) -> Answer:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not self._token or not hmac.compare_digest(given.encode(), self._token.encode()):
                return Answer.of({"detail": "The administrator's token is needed."}, status=403)
            if not ip_address(request.peer).is_loopback:
                return Answer.of({"detail": "Only from the same machine."}, status=403)
            return handler(request)

        return checked


def _read_json(request: Request) -> Any:
    """Return the body as JSON, None if it is none; whoever reads it refuses None."""
    try:
        return json.loads(request.body)
    except ValueError:
        return None


def _refused(reason: str) -> Answer:
    return Answer.of({"detail": reason}, status=400)
