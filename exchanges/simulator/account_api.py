"""Trading and accounts: the endpoints that need a signed request."""

import secrets
from typing import Final

from exchanges.simulator import errors
from exchanges.simulator.authentication import Door
from exchanges.simulator.exchange import Exchange
from exchanges.simulator.instruments import present_number
from exchanges.simulator.orders import (
    FEE_RATE,
    Account,
    Kind,
    NewOrder,
    Order,
    Permission,
    TimeInForce,
    Trade,
)
from exchanges.simulator.parameters import Parameters
from exchanges.simulator.requests import Answer, Request, Routes
from market.enums import Side
from market.timeframes import DAY_MS

_MOST_ROWS: Final = 1_000


class AccountApi:
    """Answers to signed requests; each first lets the market do what it has done until now."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._door = Door(exchange.store, lambda now_ms: exchange.settle(now_ms=now_ms))

    def routes(self) -> Routes:
        """Return the handlers by method and path."""
        read, trade = Permission.READ, Permission.TRADE
        return {
            ("GET", "/api/v3/account"): self._door.signed(self.account, read),
            ("POST", "/api/v3/order"): self._door.signed(self.place_order, trade),
            ("POST", "/api/v3/order/test"): self._door.signed(self.check_order, trade),
            ("GET", "/api/v3/order"): self._door.signed(self.order, read),
            ("DELETE", "/api/v3/order"): self._door.signed(self.cancel_order, trade),
            ("GET", "/api/v3/openOrders"): self._door.signed(self.open_orders, read),
            ("DELETE", "/api/v3/openOrders"): self._door.signed(self.cancel_open_orders, trade),
            ("GET", "/api/v3/allOrders"): self._door.signed(self.all_orders, read),
            ("GET", "/api/v3/myTrades"): self._door.signed(self.my_trades, read),
            ("GET", "/sapi/v1/account/apiRestrictions"): self._door.signed(self.restrictions, read),
            ("GET", "/sapi/v1/margin/allPairs"): self._door.signed(self.margin_pairs, read),
            ("GET", "/sapi/v1/margin/isolated/allPairs"): self._door.signed(
                self.margin_pairs, read
            ),
        }

    def account(self, request: Request, account: Account) -> Answer:
        """Show the balances and what the account may do."""
        balances = [
            {
                "asset": balance.asset,
                "free": present_number(balance.free),
                "locked": present_number(balance.locked),
            }
            for balance in self._exchange.store.balances(account.id)
        ]
        rate = present_number(FEE_RATE)
        return Answer.of(
            {
                "makerCommission": 10,
                "takerCommission": 10,
                "buyerCommission": 0,
                "sellerCommission": 0,
                "commissionRates": {"maker": rate, "taker": rate, "buyer": "0", "seller": "0"},
                "canTrade": Permission.TRADE in account.permissions,
                "canWithdraw": Permission.WITHDRAW in account.permissions,
                "canDeposit": False,
                "brokered": False,
                "requireSelfTradePrevention": False,
                "preventSor": False,
                "updateTime": request.now_ms,
                "accountType": "SPOT",
                "balances": balances,
                "permissions": ["SPOT"],
                "uid": account.id,
            }
        )

    def restrictions(self, request: Request, account: Account) -> Answer:
        """Show what the key may be used for."""
        return Answer.of(
            {
                "ipRestrict": False,
                "createTime": 0,
                "enableReading": Permission.READ in account.permissions,
                "enableSpotAndMarginTrading": Permission.TRADE in account.permissions,
                "enableWithdrawals": Permission.WITHDRAW in account.permissions,
                "enableInternalTransfer": False,
                "permitsUniversalTransfer": False,
                "enableMargin": False,
                "enableFutures": Permission.TRADE in account.permissions,
                "enableVanillaOptions": False,
            }
        )

    def margin_pairs(self, request: Request, account: Account) -> Answer:
        """List what can be traded on margin: nothing, but ccxt asks when it loads the markets."""
        return Answer.of([])

    def place_order(self, request: Request, account: Account) -> Answer:
        """Accept a new order, or refuse it with a reason."""
        new = read_new_order(request.parameters)
        style = _response_style(request.parameters, new.kind)
        order, trades = self._exchange.place(
            account, new, now_ms=request.now_ms, mishaps=request.mishaps
        )
        return Answer.of(_present_new(order, trades, style=style))

    def check_order(self, request: Request, account: Account) -> Answer:
        """Say whether a new order is well formed, without placing it."""
        new = read_new_order(request.parameters)
        self._exchange.market(new.symbol)
        return Answer.of({})

    def order(self, request: Request, account: Account) -> Answer:
        """Show one order, whatever became of it."""
        order = self._find(request.parameters, account)
        if order is None or self._exchange.pending.look_up({order.id}):
            raise errors.order_does_not_exist()
        return Answer.of(_present_order(order))

    def cancel_order(self, request: Request, account: Account) -> Answer:
        """Cancel one open order."""
        order = self._find(request.parameters, account)
        new_id = request.parameters.find_client_order_id("newClientOrderId")
        if order is None or not order.status.is_open:
            raise errors.unknown_order()
        return Answer.of(self._cancel(order, request, new_id))

    def cancel_open_orders(self, request: Request, account: Account) -> Answer:
        """Cancel every open order of one market."""
        symbol = self._symbol(request)
        mine = [o for o in self._exchange.store.open_orders(account.id) if o.symbol == symbol]
        if not mine:
            raise errors.unknown_order()
        return Answer.of([self._cancel(order, request, None) for order in mine])

    def open_orders(self, request: Request, account: Account) -> Answer:
        """List what still works, of one market or of all."""
        symbol = self._symbol(request) if "symbol" in request.parameters else None
        open_orders = self._exchange.store.open_orders(account.id)
        mine = [order for order in open_orders if symbol in {None, order.symbol}]
        return Answer.of([_present_order(order) for order in self._shown(mine)])

    def all_orders(self, request: Request, account: Account) -> Answer:
        """List orders of one market, whatever became of them."""
        parameters = request.parameters
        from_ms, to_ms = _search_period(parameters)
        found = self._exchange.store.all_orders(
            account.id,
            self._symbol(request),
            from_id=parameters.find_integer("orderId"),
            from_ms=from_ms,
            to_ms=to_ms,
            limit=parameters.limit(default=500, largest=_MOST_ROWS),
        )
        return Answer.of([_present_order(order) for order in self._shown(found)])

    def my_trades(self, request: Request, account: Account) -> Answer:
        """List executions of one market."""
        parameters = request.parameters
        from_ms, to_ms = _search_period(parameters)
        from_id = parameters.find_integer("fromId")
        if from_id is not None and (from_ms is not None or to_ms is not None):
            raise errors.bad_combination()
        found = self._exchange.store.trades(
            account.id,
            self._symbol(request),
            order_id=parameters.find_integer("orderId"),
            from_id=from_id,
            from_ms=from_ms,
            to_ms=to_ms,
            limit=parameters.limit(default=500, largest=_MOST_ROWS),
        )
        hidden = self._exchange.pending.look_up({trade.order_id for trade in found})
        return Answer.of([_present_trade(t) for t in found if t.order_id not in hidden])

    def _shown(self, orders: list[Order]) -> list[Order]:
        """Return the orders that a look-up finds."""
        hidden = self._exchange.pending.look_up({order.id for order in orders})
        return [order for order in orders if order.id not in hidden]

    def _symbol(self, request: Request) -> str:
        symbol = request.parameters.get_symbol()
        self._exchange.market(symbol)
        return symbol

    def _find(self, parameters: Parameters, account: Account) -> Order | None:
        symbol = parameters.get_symbol()
        self._exchange.market(symbol)
        order_id = parameters.find_integer("orderId")
        client_order_id = parameters.find_client_order_id("origClientOrderId")
        if order_id is None and client_order_id is None:
            raise errors.one_of_two("origClientOrderId", "orderId")
        return self._exchange.store.find_order(
            account.id, symbol, order_id=order_id, client_order_id=client_order_id
        )

    def _cancel(self, order: Order, request: Request, new_id: str | None) -> dict[str, object]:
        canceled = self._exchange.cancel(order, now_ms=request.now_ms, mishaps=request.mishaps)
        return {
            **_present_common(canceled),
            "origClientOrderId": canceled.client_order_id,
            # Binance gives the cancellation an id of its own here, and so do we.
            "clientOrderId": new_id or _generated_id(),
            "transactTime": canceled.updated_ms,
        }


def read_new_order(parameters: Parameters) -> NewOrder:
    """Read the parameters of a new order; refuse what is missing, unknown or not wanted."""
    symbol = parameters.get_symbol()
    try:
        side = Side(parameters.get("side"))
    except ValueError:
        raise errors.invalid_side() from None
    try:
        kind = Kind(parameters.get("type"))
    except ValueError:
        raise errors.invalid_order_type() from None
    _check_unwanted(parameters, kind)
    quantity = parameters.find_decimal("quantity")
    quote_quantity = parameters.find_decimal("quoteOrderQty") if kind is Kind.MARKET else None
    if quantity is not None and quote_quantity is not None:
        raise errors.bad_combination()
    if quantity is None and quote_quantity is None:
        raise errors.mandatory_parameter("quantity")
    return NewOrder(
        symbol=symbol,
        side=side,
        kind=kind,
        time_in_force=_read_time_in_force(parameters, kind),
        client_order_id=parameters.find_client_order_id("newClientOrderId") or _generated_id(),
        quantity=quantity,
        quote_quantity=quote_quantity,
        price=parameters.get_decimal("price") if kind.has_limit else None,
        stop_price=parameters.get_decimal("stopPrice") if kind.is_stop else None,
    )


def _check_unwanted(parameters: Parameters, kind: Kind) -> None:
    unwanted = ["icebergQty", "trailingDelta"]
    if kind not in {Kind.LIMIT, Kind.STOP_LOSS_LIMIT}:
        unwanted.append("timeInForce")
    if not kind.has_limit:
        unwanted.append("price")
    if not kind.is_stop:
        unwanted.append("stopPrice")
    if kind is not Kind.MARKET:
        unwanted.append("quoteOrderQty")
    for name in unwanted:
        if name in parameters:
            raise errors.not_required(name)


def _read_time_in_force(parameters: Parameters, kind: Kind) -> TimeInForce:
    if kind not in {Kind.LIMIT, Kind.STOP_LOSS_LIMIT}:
        return TimeInForce.GTC
    try:
        time_in_force = TimeInForce(parameters.get("timeInForce"))
    except ValueError:
        raise errors.invalid_time_in_force() from None
    if kind is Kind.STOP_LOSS_LIMIT and time_in_force is not TimeInForce.GTC:
        # What triggers later would have to expire then; nobody here needs it.
        raise errors.invalid_time_in_force()
    return time_in_force


def _response_style(parameters: Parameters, kind: Kind) -> str:
    default = "FULL" if kind in {Kind.MARKET, Kind.LIMIT} else "ACK"
    style = parameters.find("newOrderRespType") or default
    if style not in {"ACK", "RESULT", "FULL"}:
        raise errors.illegal_characters("newOrderRespType", "^ACK|RESULT|FULL$")
    return style


def _search_period(parameters: Parameters) -> tuple[int | None, int | None]:
    from_ms, to_ms = parameters.find_integer("startTime"), parameters.find_integer("endTime")
    if from_ms is not None and to_ms is not None and to_ms - from_ms > DAY_MS:
        raise errors.more_than_a_day()
    return from_ms, to_ms


def _generated_id() -> str:
    return secrets.token_hex(11)


def _present_common(order: Order) -> dict[str, object]:
    shown: dict[str, object] = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "price": present_number(order.price),
        "origQty": present_number(order.quantity),
        "executedQty": present_number(order.executed),
        "origQuoteOrderQty": present_number(order.quote_quantity),
        "cummulativeQuoteQty": present_number(order.quote_executed),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "side": order.side,
        "selfTradePreventionMode": "NONE",
    }
    if order.kind.is_stop:
        shown["stopPrice"] = present_number(order.stop_price)
    return shown


def _present_order(order: Order) -> dict[str, object]:
    return {
        **_present_common(order),
        "stopPrice": present_number(order.stop_price),
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.is_working,
        "workingTime": order.working_ms,
    }


def _present_new(order: Order, trades: tuple[Trade, ...], *, style: str) -> dict[str, object]:
    acknowledged: dict[str, object] = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.created_ms,
    }
    if style == "ACK":
        return acknowledged
    result = {**_present_common(order), **acknowledged, "workingTime": order.working_ms}
    if style == "FULL":
        result["fills"] = [
            {
                "price": present_number(trade.price),
                "qty": present_number(trade.quantity),
                "commission": present_number(trade.fee),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.id,
            }
            for trade in trades
        ]
    return result


def _present_trade(trade: Trade) -> dict[str, object]:
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": present_number(trade.price),
        "qty": present_number(trade.quantity),
        "quoteQty": present_number(trade.quote_quantity),
        "commission": present_number(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }
