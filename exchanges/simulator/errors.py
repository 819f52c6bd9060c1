"""The failures that the simulator answers, with the codes and texts of the Binance spot API."""

from typing import Final

#: Answered with 401; every other code is a 400 unless said otherwise.
_UNAUTHORIZED: Final = frozenset({-2014, -2015})


class ApiError(Exception):
    """A refused request: ``code`` and ``message`` reach the client as ``{"code", "msg"}``."""

    def __init__(self, code: int, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or (401 if code in _UNAUTHORIZED else 400)


def too_many_requests(limit: int) -> ApiError:
    """Return the refusal of a client that has used up its weight for this minute."""
    return ApiError(
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        status=429,
    )


def timestamp_ahead() -> ApiError:
    """Return the refusal of a request stamped in the server's future."""
    return ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def timestamp_too_old() -> ApiError:
    """Return the refusal of a request that arrived after its ``recvWindow``."""
    return ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def invalid_signature() -> ApiError:
    """Return the refusal of a request whose signature does not match."""
    return ApiError(-1022, "Signature for this request is not valid.")


def illegal_characters(name: str, legal: str) -> ApiError:
    """Return the refusal of a parameter that does not match the pattern *legal*."""
    return ApiError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def mandatory_parameter(name: str) -> ApiError:
    """Return the refusal of a request without the parameter *name*."""
    return ApiError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def one_of_two(first: str, second: str) -> ApiError:
    """Return the refusal of a request that sent neither of two parameters."""
    return ApiError(
        -1102,
        f"Param '{first}' or '{second}' must be sent, but both were empty/null!",
    )


def empty_parameter(name: str) -> ApiError:
    """Return the refusal of a parameter that was sent without a value."""
    return ApiError(-1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> ApiError:
    """Return the refusal of a parameter that this kind of order does not take."""
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def too_much_precision(name: str) -> ApiError:
    """Return the refusal of a number with more than eight decimals."""
    return ApiError(-1111, f"Parameter '{name}' has too much precision.")


def invalid_time_in_force() -> ApiError:
    """Return the refusal of an unknown ``timeInForce``."""
    return ApiError(-1115, "Invalid timeInForce.")


def invalid_order_type() -> ApiError:
    """Return the refusal of an unknown order type."""
    return ApiError(-1116, "Invalid orderType.")


def invalid_side() -> ApiError:
    """Return the refusal of a side other than BUY and SELL."""
    return ApiError(-1117, "Invalid side.")


def invalid_interval() -> ApiError:
    """Return the refusal of an unknown candle length."""
    return ApiError(-1120, "Invalid interval.")


def invalid_symbol() -> ApiError:
    """Return the refusal of a symbol that is not listed."""
    return ApiError(-1121, "Invalid symbol.")


def more_than_a_day() -> ApiError:
    """Return the refusal of a search through more than 24 hours."""
    return ApiError(-1127, "More than 24 hours between startTime and endTime.")


def bad_combination() -> ApiError:
    """Return the refusal of optional parameters that exclude one another."""
    return ApiError(-1128, "Combination of optional parameters invalid.")


def receive_window_too_long() -> ApiError:
    """Return the refusal of a ``recvWindow`` of more than a minute."""
    return ApiError(-1131, "recvWindow must be less than 60000.")


def filter_failure(name: str) -> ApiError:
    """Return the refusal of an order that breaks the filter *name* of its symbol."""
    return ApiError(-1013, f"Filter failure: {name}")


def market_closed() -> ApiError:
    """Return the refusal of an order in a market that takes none."""
    return ApiError(-1013, "Market is closed.")


def under_maintenance() -> ApiError:
    """Return the refusal of everything while the exchange is being repaired."""
    return ApiError(-1016, "This service is no longer available.", status=503)


def order_rejected(reason: str) -> ApiError:
    """Return the refusal of a well-formed new order."""
    return ApiError(-2010, reason)


def insufficient_balance() -> ApiError:
    """Return the refusal of an order that the free balance does not cover."""
    return order_rejected("Account has insufficient balance for requested action.")


def unknown_order() -> ApiError:
    """Return the refusal to cancel an order that is not open."""
    return ApiError(-2011, "Unknown order sent.")


def order_does_not_exist() -> ApiError:
    """Return the answer to a question about an order that never was."""
    return ApiError(-2013, "Order does not exist.")


def bad_key_format() -> ApiError:
    """Return the refusal of a missing or malformed API key."""
    return ApiError(-2014, "API-key format invalid.")


def rejected_key() -> ApiError:
    """Return the refusal of a key that is unknown or lacks the permission."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.")
