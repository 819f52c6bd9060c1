"""What may be typed after ``manage.py sweep``."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from typing import Any

from backtesting.domain.objectives import OBJECTIVES
from backtesting.domain.searches import Method
from backtesting.management import arguments
from backtesting.services.sweep_plans import DEFAULT_OBJECTIVE, DEFAULT_SEED
from market.errors import InvalidInputError


def declare(parser: ArgumentParser) -> None:
    """Add the arguments to *parser*."""
    parser.add_argument("strategy", help="such as ema-crossover")
    arguments.declare_markets(parser)
    parser.add_argument("--timeframe", required=True, help="such as 4h")
    arguments.declare_window(parser, is_required=True)
    parser.add_argument(
        "--grid",
        dest="space",
        type=_axis,
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="a swept parameter: 5:15:5 is a range with its step, 5:15 one with the strategy's own "
        "or none, 5,10,20 a list; may be repeated",
    )
    arguments.declare_parameters(parser, flag="--param")
    parser.add_argument(
        "--method",
        choices=[method.lower() for method in Method],
        default=Method.GRID.lower(),
        help="all combinations, some by chance, or guided by the results (default: %(default)s)",
    )
    parser.add_argument(
        "--objective",
        choices=list(OBJECTIVES),
        default=DEFAULT_OBJECTIVE,
        help="what trials are ranked by (default: %(default)s)",
    )
    parser.add_argument("--trials", type=int, default=None, help="how many, unless it is a grid")
    parser.add_argument(
        "--least-trades", type=int, default=0, help="trials with fewer closed trades are not ranked"
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="the same seed makes the same trials"
    )
    parser.add_argument("--top", type=int, default=10, help="how many of the best are printed")
    arguments.declare_money(parser)
    parser.add_argument("--json", action="store_true", help="print all trials as JSON")
    parser.add_argument("--csv", default="", metavar="PATH", help="write all trials to a file")
    parser.add_argument(
        "--owner", default="", metavar="EMAIL", help="store the sweep for this person as well"
    )


def space_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the swept parameters among the parsed *options*; raise InvalidInputError for one given twice."""
    names = [name for name, _ in options["space"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInputError(f"--grid {twice[0]} is given more than once.")
    return dict(options["space"])


def _axis(text: str) -> tuple[str, str]:
    name, separator, values = text.partition("=")
    if not separator or not name or not values:
        raise ArgumentTypeError(f"'{text[:40]}' is not written NAME=VALUES")
    return name, values
