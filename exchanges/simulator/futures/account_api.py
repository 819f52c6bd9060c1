"""Trading and accounts of the futures: the endpoints that need a signed request."""

from collections.abc import Sequence
from typing import Any, Final

from exchanges.simulator import errors as plain_errors
from exchanges.simulator.authentication import Door
from exchanges.simulator.futures import errors, margin, presenting, reading
from exchanges.simulator.futures.desk import FuturesExchange
from exchanges.simulator.futures.ledger import Table
from exchanges.simulator.futures.records import FuturesOrder, StopOrder, StopStatus
from exchanges.simulator.orders import Account, Permission
from exchanges.simulator.parameters import Parameters
from exchanges.simulator.requests import Answer, Request, Routes
from market.timeframes import DAY_MS

_MOST_ROWS: Final = 1_000
_LONGEST_SEARCH_MS: Final = 7 * DAY_MS
_DONE: Final = {"code": 200, "msg": "The operation of cancel all open order is done."}


class FuturesAccountApi:
    """Answers to signed requests of one-way accounts."""

    def __init__(self, exchange: FuturesExchange) -> None:
        self._exchange = exchange
        self._ledger = exchange.ledger
        self._door = Door(exchange.spot.store, lambda now_ms: exchange.settle(now_ms=now_ms))

    def routes(self) -> Routes:
        """Return the handlers by method and path."""
        read, trade, signed = Permission.READ, Permission.TRADE, self._door.signed
        return {
            ("POST", "/fapi/v1/order"): signed(self.place_order, trade),
            ("GET", "/fapi/v1/order"): signed(self.order, read),
            ("DELETE", "/fapi/v1/order"): signed(self.cancel_order, trade),
            ("GET", "/fapi/v1/openOrder"): signed(self.order, read),
            ("GET", "/fapi/v1/openOrders"): signed(self.open_orders, read),
            ("DELETE", "/fapi/v1/allOpenOrders"): signed(self.cancel_orders, trade),
            ("GET", "/fapi/v1/allOrders"): signed(self.all_orders, read),
            ("POST", "/fapi/v1/algoOrder"): signed(self.place_stop, trade),
            ("GET", "/fapi/v1/algoOrder"): signed(self.stop, read),
            ("DELETE", "/fapi/v1/algoOrder"): signed(self.cancel_stop, trade),
            ("GET", "/fapi/v1/openAlgoOrders"): signed(self.open_stops, read),
            ("DELETE", "/fapi/v1/algoOpenOrders"): signed(self.cancel_stops, trade),
            ("GET", "/fapi/v1/allAlgoOrders"): signed(self.all_stops, read),
            ("GET", "/fapi/v1/userTrades"): signed(self.trades, read),
            ("GET", "/fapi/v1/income"): signed(self.incomes, read),
            ("GET", "/fapi/v2/account"): signed(self.account, read),
            ("GET", "/fapi/v3/account"): signed(self.account, read),
            ("GET", "/fapi/v2/balance"): signed(self.balances, read),
            ("GET", "/fapi/v3/balance"): signed(self.balances, read),
            ("GET", "/fapi/v2/positionRisk"): signed(self.position_risk, read),
            ("GET", "/fapi/v3/positionRisk"): signed(self.position_risk, read),
            ("GET", "/fapi/v1/leverageBracket"): signed(self.brackets, read),
            ("POST", "/fapi/v1/leverage"): signed(self.set_leverage, trade),
            ("POST", "/fapi/v1/marginType"): signed(self.set_margin_type, trade),
            ("GET", "/fapi/v1/positionSide/dual"): signed(self.position_mode, read),
            ("POST", "/fapi/v1/positionSide/dual"): signed(self.set_position_mode, trade),
            ("POST", "/fapi/v1/countdownCancelAll"): signed(self.count_down, trade),
        }

    # --- orders --------------------------------------------------------------------------------

    def place_order(self, request: Request, account: Account) -> Answer:
        """Accept a plain order, or refuse it with a reason."""
        new = reading.read_order(request.parameters)
        order, _ = self._exchange.place(
            account.id, new, now_ms=request.now_ms, mishaps=request.mishaps
        )
        shown = presenting.present_order(order)
        if request.parameters.find("newOrderRespType") != "RESULT":
            # An acknowledgment says that the order was taken, and nothing of what came of it.
            nothing = dict.fromkeys(("executedQty", "cumQty", "cumQuote", "avgPrice"), "0.00000000")
            shown |= {"status": "NEW", **nothing}
        return Answer.of(shown)

    def order(self, request: Request, account: Account) -> Answer:
        """Show one order, whatever became of it."""
        order = self._find(request.parameters, account)
        if order is None or self._exchange.pending.look_up({order.id}):
            raise plain_errors.order_does_not_exist()
        return Answer.of(presenting.present_order(order))

    def cancel_order(self, request: Request, account: Account) -> Answer:
        """Cancel one open order."""
        order = self._find(request.parameters, account)
        if order is None:
            raise plain_errors.unknown_order()
        canceled = self._exchange.cancel(order, now_ms=request.now_ms, mishaps=request.mishaps)
        return Answer.of(presenting.present_order(canceled))

    def cancel_orders(self, request: Request, account: Account) -> Answer:
        """Cancel every plain order of one market."""
        symbol = self._symbol(request.parameters)
        for order in self._ledger.open_orders(account.id):
            if order.symbol == symbol:
                self._exchange.cancel(order, now_ms=request.now_ms)
        return Answer.of(_DONE)

    def open_orders(self, request: Request, account: Account) -> Answer:
        """List what still works, of one market or of all."""
        found = self._ledger.open_orders(account.id)
        return Answer.of([presenting.present_order(o) for o in self._shown(request, found)])

    def all_orders(self, request: Request, account: Account) -> Answer:
        """List orders of one market, whatever became of them."""
        found = self._search(
            request.parameters, account, self._ledger.orders, "created_ms", "orderId"
        )
        return Answer.of([presenting.present_order(o) for o in self._shown(request, found)])

    # --- stops ---------------------------------------------------------------------------------

    def place_stop(self, request: Request, account: Account) -> Answer:
        """Accept a conditional order, or refuse it with a reason."""
        new = reading.read_stop(request.parameters)
        stop = self._exchange.place_stop(
            account.id, new, now_ms=request.now_ms, mishaps=request.mishaps
        )
        return Answer.of(self._present_stop(stop))

    def stop(self, request: Request, account: Account) -> Answer:
        """Show one conditional order."""
        stop = self._find_stop(request.parameters, account)
        if stop is None or self._exchange.pending.look_up({-stop.id}):
            raise plain_errors.order_does_not_exist()
        return Answer.of(self._present_stop(stop))

    def cancel_stop(self, request: Request, account: Account) -> Answer:
        """Cancel a conditional order that waits."""
        stop = self._find_stop(request.parameters, account)
        if stop is None:
            raise plain_errors.unknown_order()
        canceled = self._exchange.cancel_stop(stop, now_ms=request.now_ms)
        return Answer.of(
            {
                "algoId": canceled.id,
                "clientAlgoId": canceled.client_order_id,
                "code": "200",
                "msg": "success",
            }
        )

    def cancel_stops(self, request: Request, account: Account) -> Answer:
        """Cancel every conditional order of one market."""
        symbol = self._symbol(request.parameters)
        for stop in self._ledger.open_stops(account.id):
            if stop.symbol == symbol:
                self._exchange.cancel_stop(stop, now_ms=request.now_ms)
        return Answer.of(_DONE)

    def open_stops(self, request: Request, account: Account) -> Answer:
        """List the conditional orders that wait, of one market or of all."""
        found = self._ledger.open_stops(account.id)
        return Answer.of([self._present_stop(s) for s in self._shown(request, found, sign=-1)])

    def all_stops(self, request: Request, account: Account) -> Answer:
        """List conditional orders of one market, whatever became of them."""
        found = self._search(
            request.parameters, account, self._ledger.stops, "created_ms", "algoId"
        )
        return Answer.of([self._present_stop(s) for s in self._shown(request, found, sign=-1)])

    # --- what came of them ---------------------------------------------------------------------

    def trades(self, request: Request, account: Account) -> Answer:
        """List executions of one market."""
        parameters = request.parameters
        from_id = parameters.find_integer("fromId")
        times = {"startTime", "endTime"}
        if from_id is not None and any(name in parameters for name in times):
            raise plain_errors.bad_combination()
        found = self._search(parameters, account, self._ledger.trades, "at_ms", "fromId")
        order_id = parameters.find_integer("orderId")
        wanted = [trade for trade in found if order_id in {None, trade.order_id}]
        hidden = self._exchange.pending.look_up({trade.order_id for trade in wanted})
        return Answer.of(
            [presenting.present_trade(trade) for trade in wanted if trade.order_id not in hidden]
        )

    def incomes(self, request: Request, account: Account) -> Answer:
        """List what changed the wallets, fundings among it."""
        parameters = request.parameters
        where = "account_id = ?"
        values: list[Any] = [account.id]
        for name, column in (("symbol", "symbol"), ("incomeType", "kind")):
            if name in parameters:
                where, values = f"{where} AND {column} = ?", [*values, parameters.get(name)]
        where, values = _within(parameters, where, values, "at_ms")
        limit = parameters.limit(default=100, largest=_MOST_ROWS)
        found = self._ledger.incomes.select(f"{where} ORDER BY id LIMIT ?", *values, limit)
        return Answer.of([presenting.present_income(income) for income in found])

    # --- the account ---------------------------------------------------------------------------

    def account(self, request: Request, account: Account) -> Answer:
        """Show balances, positions and margins."""
        figures = self._exchange.figures(account.id, now_ms=request.now_ms)
        wallets = self._ledger.wallets(account.id)
        can_trade = Permission.TRADE in account.permissions
        return Answer.of(
            presenting.present_account(figures, wallets, can_trade=can_trade, now_ms=request.now_ms)
        )

    def balances(self, request: Request, account: Account) -> Answer:
        """Show the balances alone."""
        figures = self._exchange.figures(account.id, now_ms=request.now_ms)
        return Answer.of(
            [
                presenting.present_balance(asset, balance, figures, request.now_ms)
                for asset, balance in self._ledger.wallets(account.id).items()
            ]
        )

    def position_risk(self, request: Request, account: Account) -> Answer:
        """Show positions with their margins, of one market or of all that were ever touched."""
        figures = self._exchange.figures(account.id, now_ms=request.now_ms)
        wanted = request.parameters.find("symbol")
        return Answer.of(
            [
                presenting.present_risk(entry)
                for entry in figures.positions
                if wanted in {None, entry.position.symbol}
            ]
        )

    def brackets(self, request: Request, account: Account) -> Answer:
        """Show which leverage and margin a notional allows and needs."""
        brackets = [
            {
                "bracket": number,
                "initialLeverage": bracket.leverage,
                "notionalCap": int(bracket.cap),
                "notionalFloor": int(bracket.floor),
                "maintMarginRatio": str(bracket.rate),
                "cum": str(bracket.amount),
            }
            for number, bracket in enumerate(margin.BRACKETS, start=1)
        ]
        wanted = request.parameters.find("symbol")
        contracts = self._exchange.contracts.all()
        return Answer.of(
            [
                {"symbol": contract.symbol, "notionalCoef": "1.0", "brackets": brackets}
                for contract in contracts
                if wanted in {None, contract.symbol}
            ]
        )

    def set_leverage(self, request: Request, account: Account) -> Answer:
        """Set the leverage of a market."""
        symbol = self._symbol(request.parameters)
        leverage = request.parameters.get_integer("leverage")
        largest = self._exchange.set_leverage(account.id, symbol, leverage, now_ms=request.now_ms)
        return Answer.of({"leverage": leverage, "maxNotionalValue": str(largest), "symbol": symbol})

    def set_margin_type(self, request: Request, account: Account) -> Answer:
        """Choose between the whole wallet and what is set aside."""
        symbol = self._symbol(request.parameters)
        wanted = request.parameters.get("marginType")
        if wanted not in {"ISOLATED", "CROSSED"}:
            raise plain_errors.illegal_characters("marginType", "^ISOLATED|CROSSED$")
        isolated = wanted == "ISOLATED"
        self._exchange.set_margin_type(account.id, symbol, isolated=isolated, now_ms=request.now_ms)
        return Answer.of({"code": 200, "msg": "success"})

    def position_mode(self, request: Request, account: Account) -> Answer:
        """Say that positions are netted."""
        return Answer.of({"dualSidePosition": False})

    def set_position_mode(self, request: Request, account: Account) -> Answer:
        """Refuse hedge mode, and the mode that is set already."""
        if reading.read_boolean(request.parameters, "dualSidePosition"):
            raise errors.one_way_only()
        raise errors.no_change_of_side_mode()

    def count_down(self, request: Request, account: Account) -> Answer:
        """Arm or disarm the dead man's switch of a market."""
        symbol = self._symbol(request.parameters)
        wait_ms = request.parameters.get_integer("countdownTime")
        self._exchange.set_countdown(account.id, symbol, wait_ms=wait_ms, now_ms=request.now_ms)
        return Answer.of({"symbol": symbol, "countdownTime": str(wait_ms)})

    # --- finding -------------------------------------------------------------------------------

    def _symbol(self, parameters: Parameters) -> str:
        symbol = parameters.get_symbol()
        self._exchange.contracts.get(symbol)
        return symbol

    def _find(self, parameters: Parameters, account: Account) -> FuturesOrder | None:
        symbol = self._symbol(parameters)
        order_id = parameters.find_integer("orderId")
        client_id = parameters.find_client_order_id("origClientOrderId")
        if order_id is None and client_id is None:
            raise plain_errors.one_of_two("origClientOrderId", "orderId")
        where = "account_id = ? AND symbol = ? AND "
        if order_id is not None:
            return self._ledger.orders.find(f"{where}id = ?", account.id, symbol, order_id)
        # An open order first, then the newest: an id may be used again once its order has ended.
        order = f"client_order_id = ? ORDER BY status NOT IN {_OPEN}, id DESC"
        return self._ledger.orders.find(f"{where}{order}", account.id, symbol, client_id)

    def _find_stop(self, parameters: Parameters, account: Account) -> StopOrder | None:
        stop_id = parameters.find_integer("algoId")
        client_id = parameters.find_client_order_id("clientAlgoId")
        if stop_id is None and client_id is None:
            raise plain_errors.one_of_two("clientAlgoId", "algoId")
        if stop_id is not None:
            return self._ledger.stops.find("account_id = ? AND id = ?", account.id, stop_id)
        return self._ledger.stops.find(
            "account_id = ? AND client_order_id = ? ORDER BY status <> 'NEW', id DESC",
            account.id,
            client_id,
        )

    def _present_stop(self, stop: StopOrder) -> dict[str, object]:
        sent = None
        if stop.status is not StopStatus.NEW and stop.order_id:
            sent = self._ledger.orders.find("id = ?", stop.order_id)
        return presenting.present_stop(stop, sent)

    def _shown(self, request: Request, found: Sequence[Any], *, sign: int = 1) -> list[Any]:
        """Return those of the asked-for market that are not hidden; both kinds of order, hence Any."""
        symbol = None
        if "symbol" in request.parameters:
            symbol = self._symbol(request.parameters)
        mine = [record for record in found if symbol in {None, record.symbol}]
        hidden = self._exchange.pending.look_up({sign * record.id for record in mine})
        return [record for record in mine if sign * record.id not in hidden]

    def _search(
        self, parameters: Parameters, account: Account, table: Table[Any], instant: str, cursor: str
    ) -> list[Any]:
        """Return up to ``limit`` rows of a market, oldest first; the newest unless a start is given."""
        values: list[Any] = [account.id, self._symbol(parameters)]
        where, values = _within(parameters, "account_id = ? AND symbol = ?", values, instant)
        from_id = parameters.find_integer(cursor)
        if from_id is not None:
            where, values = f"{where} AND id >= ?", [*values, from_id]
        limit = parameters.limit(default=500, largest=_MOST_ROWS)
        newest = from_id is None and "startTime" not in parameters
        direction = "DESC" if newest else "ASC"
        found = table.select(f"{where} ORDER BY id {direction} LIMIT ?", *values, limit)
        return found[::-1] if newest else found


_OPEN: Final = "('NEW', 'PARTIALLY_FILLED')"


def _within(
    parameters: Parameters, where: str, values: list[Any], instant: str
) -> tuple[str, list[Any]]:
    from_ms, to_ms = parameters.find_integer("startTime"), parameters.find_integer("endTime")
    if from_ms is not None and to_ms is not None and to_ms - from_ms > _LONGEST_SEARCH_MS:
        raise plain_errors.more_than_a_day()
    for bound, operator in ((from_ms, ">="), (to_ms, "<=")):
        if bound is not None:
            where, values = f"{where} AND {instant} {operator} ?", [*values, bound]
    return where, values
