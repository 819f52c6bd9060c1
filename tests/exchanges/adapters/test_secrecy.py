"""Keys and signatures stay on the wire, and the wire reaches only what is listed."""

import asyncio
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import ccxt as library
import pytest

from exchanges.adapters.packs import pack_of
from exchanges.adapters.wire import ForbiddenCallError
from market.errors import VenueError
from tests.exchanges.adapters.contract import SYMBOL, make_order

CHECKOUT = Path(__file__).resolve().parents[3]

#: Names of ccxt's methods that take money out of an account or let somebody else do so.
_DANGEROUS = re.compile(
    r"withdraw|transfer|deposit_?address|borrow|repay|sub_?account|api_?key|dust", re.IGNORECASE
)


@pytest.mark.enable_socket
class TestSecrets:
    def test_no_key_or_signature_is_in_a_log_an_error_or_an_outcome(self, simulator, caplog):
        caplog.set_level(logging.DEBUG)
        for name in ("ccxt", "ccxt.base.exchange", "aiohttp", "asyncio"):
            caplog.set_level(logging.DEBUG, logger=name)
        shown = [repr(simulator.submit(make_order()))]
        shown += [repr(simulator.run(lambda c: c.balances()))]
        echo = f"{simulator.api_key} {simulator.secret} is wrong"
        body = f'{{"code": -2010, "msg": "{echo}"}}'
        simulator.misbehave("/api/v3/order", "ANSWER", method="POST", status=400, body=body)
        shown += [repr(simulator.submit(make_order()))]
        simulator.misbehave("/api/v3/account", "CLOSE", count=2)
        with pytest.raises(VenueError) as caught:
            simulator.run(lambda c: c.balances())
        shown += [repr(caught.value), str(caught.value), caplog.text, repr(simulator.client())]
        shown += [repr(vars(record)) for record in caplog.records]

        text = "\n".join(shown)

        assert simulator.api_key not in text
        assert simulator.secret not in text
        assert "signature" not in text
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None

    def test_an_error_of_a_question_carries_no_key(self, simulator):
        echo = f"{simulator.api_key} may not do this"
        body = f'{{"code": -1102, "msg": "{echo}"}}'
        simulator.misbehave("/api/v3/account", "ANSWER", status=400, body=body)

        with pytest.raises(VenueError) as caught:
            simulator.run(lambda c: c.balances())

        assert simulator.api_key not in str(caught.value)


class TestReach:
    def test_one_module_imports_ccxt(self):
        importers = [
            path.relative_to(CHECKOUT).as_posix()
            for package in (
                "platform",
                "accounts",
                "billing",
                "exchanges",
                "strategies",
                "backtesting",
                "trading",
                "referrals",
            )
            for path in (CHECKOUT / package).rglob("*.py")
            if re.search(
                r"^\s*(import ccxt|from ccxt)", path.read_text(encoding="utf-8"), re.MULTILINE
            )
        ]

        assert importers == ["exchanges/adapters/ccxt.py"]

    def test_a_process_that_only_serves_pages_never_loads_the_exchange_library(self):
        program = (
            "import sys, config.wsgi, django.urls as urls; urls.get_resolver().url_patterns;"
            "sys.exit('ccxt' in sys.modules or 'exchanges.adapters.factory' not in sys.modules)"
        )

        ended = subprocess.run(
            [sys.executable, "-c", program], cwd=CHECKOUT, env=_environment(), check=False
        )

        assert ended.returncode == 0

    def test_nothing_that_moves_money_out_is_on_the_list_of_a_venue(self):
        calls = pack_of("binance").calls

        assert not [call for call in calls if _DANGEROUS.search(call.path)]
        assert {call.method for call in calls} == {"GET", "POST", "DELETE"}
        assert [c.path for c in calls if c.method != "GET"] == ["/api/v3/order"] * 2

    @pytest.mark.enable_socket
    def test_whatever_ccxt_offers_to_move_money_is_stopped_before_the_wire(self, simulator):
        """Tries every such method of the instance inside the client, with an account that exists."""
        client = simulator.client()
        exchange = client._exchange
        names = [
            name
            for name in dir(exchange)
            if _DANGEROUS.search(name) and re.match(r"(sapi|private|v1|public)[A-Z]\w*", name)
        ]
        exchange.enableRateLimit = False

        async def attempt():
            await client.last_price(SYMBOL)
            reached = []
            for name in names:
                try:
                    await getattr(exchange, name)({})
                    reached.append(name)
                except (ForbiddenCallError, library.NotSupported):
                    continue
            await client.close()
            return reached

        assert len(names) > 50
        assert asyncio.run(attempt()) == []

    @pytest.mark.enable_socket
    def test_a_withdrawal_by_its_common_name_is_stopped_before_the_wire(self, simulator):
        client = simulator.client()

        async def attempt():
            try:
                await client._exchange.withdraw(
                    "USDT", 1, "0x0000000000000000000000000000000000000000"
                )
            finally:
                await client.close()

        with pytest.raises(ForbiddenCallError):
            asyncio.run(attempt())


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'platform'}"}
