"""The refusals that only the futures know, with the codes and texts of the Binance USD-M API."""

from decimal import Decimal

from exchanges.simulator.errors import ApiError


def insufficient_margin() -> ApiError:
    """Return the refusal of an order that the available margin does not cover."""
    return ApiError(-2019, "Margin is insufficient.")


def would_trigger() -> ApiError:
    """Return the refusal of a stop whose trigger the price has passed."""
    return ApiError(-2021, "Order would immediately trigger.")


def reduce_only_refused() -> ApiError:
    """Return the refusal of a reducing order that would open or increase a position."""
    return ApiError(-2022, "ReduceOnly Order is rejected.")


def leverage_too_high() -> ApiError:
    """Return the refusal of a leverage that the size of the position does not allow."""
    return ApiError(-2027, "Exceeded the maximum allowable position at current leverage.")


def off_tick() -> ApiError:
    """Return the refusal of a price that is no multiple of the tick."""
    return ApiError(-4014, "Price not increased by tick size.")


def off_step() -> ApiError:
    """Return the refusal of a quantity that is no multiple of the step."""
    return ApiError(-4023, "Qty not increased by step size.")


def bad_leverage(leverage: int) -> ApiError:
    """Return the refusal of a leverage outside 1 to 125."""
    return ApiError(-4028, f"Leverage {leverage} is not valid")


def no_change_of_margin() -> ApiError:
    """Return the refusal of a margin type that is set already."""
    return ApiError(-4046, "No need to change margin type.")


def margin_with_orders() -> ApiError:
    """Return the refusal to change the margin type while orders are open."""
    return ApiError(-4047, "Margin type cannot be changed if there exists open orders.")


def margin_with_position() -> ApiError:
    """Return the refusal to change the margin type of a position."""
    return ApiError(-4048, "Margin type cannot be changed if there exists position.")


def no_change_of_side_mode() -> ApiError:
    """Return the refusal of a position mode that is set already."""
    return ApiError(-4059, "No need to change position side.")


def wrong_side_mode() -> ApiError:
    """Return the refusal of an order for one side of a hedged position."""
    return ApiError(-4061, "Order's position side does not match user's setting.")


def one_way_only() -> ApiError:
    """Return the refusal of hedge mode, which the simulator does not have."""
    return ApiError(-1020, "This operation is not supported: one-way mode only.")


def price_out_of_band() -> ApiError:
    """Return the refusal of a limit price that is absurdly far from the market."""
    return ApiError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter.")


def duplicate_client_id() -> ApiError:
    """Return the refusal of a client order id that an open order has."""
    return ApiError(-4116, "ClientOrderId is duplicated.")


def conditional_elsewhere() -> ApiError:
    """Return the refusal of a conditional order at the address of plain orders."""
    return ApiError(
        -4120,
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints"
        " instead.",
    )


def lower_leverage_refused() -> ApiError:
    """Return the refusal to lower the leverage of an isolated position."""
    return ApiError(
        -4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions."
    )


def too_small(minimum: Decimal) -> ApiError:
    """Return the refusal of an order that is worth less than *minimum*."""
    return ApiError(
        -4164,
        f"Order's notional must be no smaller than {minimum} (unless you choose reduce only).",
    )


def contract_closed() -> ApiError:
    """Return the refusal of an order for a contract that takes none."""
    return ApiError(
        -4108, "Symbol is on delivering or delivered or settling or closed or pre-trading."
    )


def too_many_orders() -> ApiError:
    """Return the refusal of one more open order."""
    return ApiError(-2025, "Reach max open order limit.")


def fill_or_kill_refused() -> ApiError:
    """Return the refusal of an order that cannot be filled at once."""
    return ApiError(
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected.",
    )


def post_only_refused() -> ApiError:
    """Return the refusal of a post-only order that would take."""
    return ApiError(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    )
