"""What may be typed after ``manage.py backtest``."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from backtesting.services.specifications import DEFAULT_CAPITAL, DEFAULT_SLIPPAGE_BPS
from foundation import arguments
from market.errors import InvalidInputError


def declare(parser: ArgumentParser) -> None:
    """Add the arguments to *parser*."""
    parser.add_argument("strategy", help="such as ema-crossover")
    declare_markets(parser)
    parser.add_argument("--timeframe", required=True, help="such as 4h")
    declare_window(parser, is_required=True)
    declare_parameters(parser, flag="--param")
    declare_money(parser)
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="fetch candles that are missing from the exchange first",
    )
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.add_argument(
        "--html", default="", metavar="PATH", help="write a report in one HTML file as well"
    )
    parser.add_argument(
        "--owner", default="", metavar="EMAIL", help="store the run for this person as well"
    )


def declare_markets(parser: ArgumentParser) -> None:
    """Add ``--market`` and ``--universe`` to *parser*, one of which has to be given."""
    markets = parser.add_mutually_exclusive_group(required=True)
    markets.add_argument("--market", default="", help="such as binance:BTC/USDT")
    markets.add_argument(
        "--universe", default="", help="such as binance:BTC/USDT,ETH/USDT; for many from one wallet"
    )


def declare_money(parser: ArgumentParser) -> None:
    """Add capital and costs to *parser*."""
    parser.add_argument(
        "--capital", type=_decimal, default=DEFAULT_CAPITAL, help="in quote (default: %(default)s)"
    )
    parser.add_argument(
        "--fee-bps", type=_decimal, default=None, help="0.01 %% each (default: the venue's fees)"
    )
    parser.add_argument(
        "--slippage-bps",
        type=_decimal,
        default=DEFAULT_SLIPPAGE_BPS,
        help="0.01 %% each (default: %(default)s)",
    )
    parser.add_argument(
        "--funding-bps",
        type=_decimal,
        default=Decimal(0),
        help="what a long swap pays every eight hours (default: %(default)s)",
    )


def declare_window(parser: ArgumentParser, *, is_required: bool) -> None:
    """Add ``--from`` and ``--to`` to *parser*."""
    parser.add_argument(
        "--from",
        dest="from_at",
        type=arguments.instant,
        required=is_required,
        help="a day or ISO 8601, in UTC",
    )
    parser.add_argument(
        "--to",
        dest="to_at",
        type=arguments.instant,
        required=is_required,
        help="exclusive, a day or ISO 8601",
    )


def declare_parameters(parser: ArgumentParser, *, flag: str) -> None:
    """Add *flag* to *parser*, by which parameters of the strategy are set."""
    parser.add_argument(
        flag,
        dest="parameters",
        type=_parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the strategy; may be repeated, the others have their defaults",
    )


def parameters_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters among the parsed *options*; raise InvalidInputError for one given twice."""
    names = [name for name, _ in options["parameters"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInputError(f"The parameter {twice[0]} is given more than once.")
    return dict(options["parameters"])


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise ArgumentTypeError(f"'{text[:40]}' is not written NAME=VALUE")
    return name, value


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ArgumentTypeError(f"'{text[:40]}' is no number") from None
    if not value.is_finite():
        raise ArgumentTypeError(f"'{text[:40]}' is not finite")
    return value
