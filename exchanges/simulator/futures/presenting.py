"""Orders, positions and accounts of the futures in the words of the Binance USD-M API."""

from decimal import Decimal
from typing import Final

from exchanges.simulator.futures import margin
from exchanges.simulator.futures.contracts import SETTLE, Contract
from exchanges.simulator.futures.margin import AccountFigures, PositionFigures
from exchanges.simulator.futures.records import (
    FuturesKind,
    FuturesOrder,
    FuturesTrade,
    HeldPosition,
    Income,
    StopOrder,
)
from exchanges.simulator.instruments import MAX_OPEN_ORDERS, MAX_STOP_ORDERS, present_number
from market.enums import Side

_ZERO: Final = Decimal(0)
#: What Binance gives as the delivery date of a contract that never ends.
_NEVER_MS: Final = 4_133_404_800_000
_LARGEST_PRICE: Final = "10000000"
_LARGEST_QUANTITY: Final = "1000000"


def present_contract(contract: Contract, *, listed_ms: int) -> dict[str, object]:
    """Return the entry of a contract in the answer to ``exchangeInfo``."""
    instrument = contract.instrument
    step = {
        "minQty": present_number(instrument.quantity_step),
        "maxQty": _LARGEST_QUANTITY,
        "stepSize": present_number(instrument.quantity_step),
    }
    tick = present_number(instrument.price_step)
    return {
        "symbol": instrument.symbol,
        "pair": instrument.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": _NEVER_MS,
        "onboardDate": listed_ms,
        "status": "TRADING" if instrument.is_listed else "SETTLING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": SETTLE,
        "pricePrecision": _decimals(instrument.price_step),
        "quantityPrecision": _decimals(instrument.quantity_step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.000000",
        "marketTakeBound": "0.05",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": _LARGEST_PRICE,
                "tickSize": tick,
            },
            {"filterType": "LOT_SIZE", **step},
            {"filterType": "MARKET_LOT_SIZE", **step},
            {"filterType": "MAX_NUM_ORDERS", "limit": MAX_OPEN_ORDERS},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": MAX_STOP_ORDERS},
            {
                "filterType": "MIN_NOTIONAL",
                "notional": present_number(instrument.smallest_notional),
            },
        ],
        "orderTypes": [kind.value for kind in FuturesKind],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def present_order(order: FuturesOrder) -> dict[str, object]:
    """Return an order as every answer about it shows it."""
    average = order.quote_executed / order.executed if order.executed else _ZERO
    return {
        "orderId": order.id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_order_id,
        "price": present_number(order.price),
        "avgPrice": present_number(average),
        "origQty": present_number(order.quantity),
        "executedQty": present_number(order.executed),
        "cumQty": present_number(order.executed),
        "cumQuote": present_number(order.quote_executed),
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": "BOTH",
        "stopPrice": present_number(_ZERO),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def present_stop(stop: StopOrder, sent: FuturesOrder | None) -> dict[str, object]:
    """Return a conditional order, with the order that it has sent."""
    average = _ZERO
    if sent is not None and sent.executed:
        average = sent.quote_executed / sent.executed
    return {
        "algoId": stop.id,
        "clientAlgoId": stop.client_order_id,
        "algoType": "CONDITIONAL",
        "orderType": stop.kind,
        "symbol": stop.symbol,
        "side": stop.side,
        "positionSide": "BOTH",
        "timeInForce": stop.time_in_force,
        "quantity": present_number(stop.quantity),
        "algoStatus": stop.status,
        "triggerPrice": present_number(stop.trigger_price),
        "price": present_number(stop.price),
        "icebergQuantity": None,
        "actualOrderId": str(stop.order_id) if stop.order_id else "",
        "actualPrice": present_number(average),
        "selfTradePreventionMode": "NONE",
        "workingType": stop.working_type,
        "priceMatch": "NONE",
        "closePosition": stop.close_position,
        "priceProtect": False,
        "reduceOnly": stop.reduce_only,
        "createTime": stop.created_ms,
        "updateTime": stop.updated_ms,
        "triggerTime": stop.triggered_ms,
        "goodTillDate": 0,
    }


def present_trade(trade: FuturesTrade) -> dict[str, object]:
    """Return an execution."""
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "side": trade.side,
        "price": present_number(trade.price),
        "qty": present_number(trade.quantity),
        "realizedPnl": present_number(trade.realized),
        "quoteQty": present_number(trade.quote_quantity),
        "commission": present_number(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "positionSide": "BOTH",
        "buyer": trade.side is Side.BUY,
        "maker": trade.is_maker,
    }


def present_income(income: Income) -> dict[str, object]:
    """Return one change of a wallet."""
    return {
        "symbol": income.symbol,
        "incomeType": income.kind,
        "income": present_number(income.amount),
        "asset": income.asset,
        "info": income.kind,
        "time": income.at_ms,
        "tranId": income.id,
        "tradeId": "",
    }


def present_risk(entry: PositionFigures) -> dict[str, object]:
    """Return a position with its settings and margins: the fields of both versions of the API."""
    position = entry.position
    aside = position.isolated_wallet
    return {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": present_number(position.quantity),
        "entryPrice": present_number(position.entry_price),
        "breakEvenPrice": present_number(position.entry_price),
        "markPrice": present_number(entry.mark),
        "unRealizedProfit": present_number(entry.unrealized),
        "liquidationPrice": present_number(entry.liquidation_price),
        "leverage": str(position.leverage),
        "maxNotionalValue": str(_largest_notional(position)),
        "marginType": "isolated" if position.is_isolated else "cross",
        "isAutoAddMargin": "false",
        "isolatedMargin": present_number(aside + entry.unrealized if aside else _ZERO),
        "isolatedWallet": present_number(aside),
        "notional": present_number(entry.notional),
        "initialMargin": present_number(entry.initial + entry.orders_initial),
        "maintMargin": present_number(entry.maintenance),
        "positionInitialMargin": present_number(entry.initial),
        "openOrderInitialMargin": present_number(entry.orders_initial),
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "marginAsset": SETTLE,
        "updateTime": position.updated_ms,
    }


def present_account(
    figures: AccountFigures, wallets: dict[str, Decimal], *, can_trade: bool, now_ms: int
) -> dict[str, object]:
    """Return the balances and positions of an account with its totals."""
    return {
        "feeTier": 0,
        "canTrade": can_trade,
        "canDeposit": False,
        "canWithdraw": False,
        "multiAssetsMargin": False,
        "updateTime": now_ms,
        "totalInitialMargin": present_number(figures.initial),
        "totalMaintMargin": present_number(figures.maintenance),
        "totalWalletBalance": present_number(figures.wallet),
        "totalUnrealizedProfit": present_number(figures.unrealized),
        "totalMarginBalance": present_number(figures.wallet + figures.unrealized),
        "totalPositionInitialMargin": present_number(
            sum((entry.initial for entry in figures.positions), _ZERO)
        ),
        "totalOpenOrderInitialMargin": present_number(
            sum((entry.orders_initial for entry in figures.positions), _ZERO)
        ),
        "totalCrossWalletBalance": present_number(figures.cross_wallet),
        "totalCrossUnPnl": present_number(figures.cross_unrealized),
        "availableBalance": present_number(figures.available),
        "maxWithdrawAmount": present_number(figures.available),
        "assets": [
            _present_asset(asset, balance, figures, now_ms) for asset, balance in wallets.items()
        ],
        "positions": [
            {
                **present_risk(entry),
                "unrealizedProfit": present_number(entry.unrealized),
                "isolated": entry.position.is_isolated,
                "maxNotional": str(_largest_notional(entry.position)),
            }
            for entry in figures.positions
        ],
    }


def present_balance(
    asset: str, balance: Decimal, figures: AccountFigures, now_ms: int
) -> dict[str, object]:
    """Return the balance of one asset."""
    settles = asset == SETTLE
    available = figures.available if settles else balance
    return {
        "accountAlias": "SIM",
        "asset": asset,
        "balance": present_number(balance),
        "crossWalletBalance": present_number(figures.cross_wallet if settles else balance),
        "crossUnPnl": present_number(figures.cross_unrealized if settles else _ZERO),
        "availableBalance": present_number(available),
        "maxWithdrawAmount": present_number(available),
        "marginAvailable": True,
        "updateTime": now_ms,
    }


def _present_asset(
    asset: str, balance: Decimal, figures: AccountFigures, now_ms: int
) -> dict[str, object]:
    settles = asset == SETTLE
    unrealized = figures.unrealized if settles else _ZERO
    initial = figures.initial if settles else _ZERO
    return {
        **present_balance(asset, balance, figures, now_ms),
        "walletBalance": present_number(balance),
        "unrealizedProfit": present_number(unrealized),
        "marginBalance": present_number(balance + unrealized),
        "maintMargin": present_number(figures.maintenance if settles else _ZERO),
        "initialMargin": present_number(initial),
        "positionInitialMargin": present_number(
            sum((entry.initial for entry in figures.positions), _ZERO) if settles else _ZERO
        ),
        "openOrderInitialMargin": present_number(
            sum((entry.orders_initial for entry in figures.positions), _ZERO) if settles else _ZERO
        ),
    }


def _largest_notional(position: HeldPosition) -> Decimal:
    return max(b.cap for b in margin.BRACKETS if b.leverage >= position.leverage)


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 8
