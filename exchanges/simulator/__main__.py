"""Run the simulator exchange: ``python -m exchanges.simulator``."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from exchanges.simulator import accounts, recordings
from exchanges.simulator.account_api import AccountApi
from exchanges.simulator.accounts import AccountSpecification, SpecificationError
from exchanges.simulator.admin_api import AdminApi
from exchanges.simulator.database import StateError
from exchanges.simulator.faults import Faults
from exchanges.simulator.futures.account_api import FuturesAccountApi
from exchanges.simulator.futures.public_api import FuturesPublicApi
from exchanges.simulator.public_api import PublicApi
from exchanges.simulator.recordings import RecordingError, Script
from exchanges.simulator.rules import FaultError
from exchanges.simulator.server import Server
from exchanges.simulator.store import Store
from exchanges.simulator.truth import Journal
from exchanges.simulator.world import Settings, World
from market import matching
from market.timeframes import SECOND_MS, Timeframe

#: Exit status for a configuration that cannot be used, as in ``sysexits.h``.
_BAD_CONFIGURATION: Final = 78


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl+C; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        store = Store(options.state)
    except StateError as error:
        return _complain(str(error))
    try:
        world = _open_world(store, options)
        _open_accounts(world, options)
        asyncio.run(_serve(world, options))
    except (RecordingError, SpecificationError, FaultError, OSError) as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return 0
    finally:
        store.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exchanges.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8900, help="0 for a free one (%(default)s)")
    parser.add_argument("--state", type=Path, help="file that keeps everything; else in memory")
    parser.add_argument(
        "--candles", type=Path, default=recordings.SHIPPED, help="folder of recorded candles"
    )
    parser.add_argument(
        "--timeframe", type=Timeframe, default=Timeframe.H4, help="which of them (%(default)s)"
    )
    parser.add_argument(
        "--bar-seconds",
        type=_bar_seconds,
        default=4,
        help="seconds in which a recorded bar is played (%(default)s)",
    )
    parser.add_argument("--script", type=Path, help="JSON file with a scripted price path")
    parser.add_argument("--faults", type=Path, help="JSON or TOML file with a fault program")
    parser.add_argument(
        "--account",
        action="append",
        default=[],
        metavar="KEY:SECRET:USDT=100000,BTC=1:USDT=5000",
        help="account to create unless it exists, with its balances on the spot and the futures"
        " side; also SIMULATOR_ACCOUNTS",
    )
    parser.add_argument("--accounts-file", type=Path, help="file of accounts, text or JSON")
    parser.add_argument(
        "--slippage-bps", type=float, default=0.0, help="of market orders and stops (%(default)s)"
    )
    parser.add_argument(
        "--funding-seconds",
        type=_bar_seconds,
        default=28_800,
        help="time between two fundings of the swaps (%(default)s)",
    )
    parser.add_argument(
        "--weight-limit", type=int, default=600_000, help="requests a minute (%(default)s)"
    )
    return parser


def _bar_seconds(text: str) -> int:
    seconds = int(text)
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("must lie within 1 and 86400")
    return seconds


def _open_world(store: Store, options: argparse.Namespace) -> World:
    sources = recordings.load_recordings(options.candles, timeframe=options.timeframe)
    settings = Settings(
        bar_seconds=options.bar_seconds,
        slippage_bps=options.slippage_bps,
        funding_seconds=options.funding_seconds,
    )
    script = None if options.script is None else _read_script(options.script)
    world = World(store, sources, settings, script=script, now_ms=_now_ms())
    if world.started_anew:
        print("simulator: other recordings than before, so prices begin anew", flush=True)
    return world


def _read_script(path: Path) -> Script:
    try:
        return Script.parse(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise RecordingError(f"{path}: {error}") from error


def _read_program(path: Path) -> object:
    text = path.read_text(encoding="utf-8")
    try:
        return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise FaultError(f"{path}: {error}") from error


def _open_accounts(world: World, options: argparse.Namespace) -> None:
    wanted: list[AccountSpecification] = []
    wanted += accounts.read_specifications(os.environ.get("SIMULATOR_ACCOUNTS", ""))
    wanted += [accounts.read_specification(text) for text in options.account]
    if options.accounts_file is not None:
        wanted += accounts.read_file(options.accounts_file)
    for account in wanted:
        world.open_account(account, now_ms=_now_ms())


async def _serve(world: World, options: argparse.Namespace) -> None:
    faults = Faults(world.exchange.store.database)
    if options.faults is not None:
        faults.clear()
        faults.program(_read_program(options.faults))
    token = os.environ.get("SIMULATOR_ADMIN_TOKEN", "")
    routes = {
        **PublicApi(world.exchange, weight_limit=options.weight_limit).routes(),
        **AccountApi(world.exchange).routes(),
        **FuturesPublicApi(world.futures, weight_limit=options.weight_limit).routes(),
        **FuturesAccountApi(world.futures).routes(),
        **AdminApi(world, faults, token=token).routes(),
    }
    server = Server(
        world,
        routes,
        faults,
        Journal(world.exchange.store.database),
        clock=_now_ms,
        weight_limit=options.weight_limit,
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    matching.preload()
    port = await server.start(options.host, options.port)
    markets = len(world.exchange.markets)
    print(
        f"simulator ready on http://{options.host}:{port}"
        f" ({markets} markets, anchor {world.anchor_ms // SECOND_MS})",
        flush=True,
    )
    await stopping.wait()
    await server.stop()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _complain(reason: str) -> int:
    print(f"simulator: {reason}", file=sys.stderr, flush=True)
    return _BAD_CONFIGURATION


if __name__ == "__main__":
    sys.exit(main())
