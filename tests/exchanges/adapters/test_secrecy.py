"""Keys and signatures stay on the wire, and the wire reaches only what is listed."""

import asyncio
import logging
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ccxt as library
import pytest
import yarl

from exchanges.adapters.ccxt import make_exchange, tamed_class
from exchanges.adapters.packs import offered_packs, pack_of
from exchanges.adapters.wire import ForbiddenCallError, Wire
from market.errors import VenueError
from tests.exchanges.adapters.contract import SYMBOL, make_order

CHECKOUT = Path(__file__).resolve().parents[3]

#: Names of ccxt's methods that take money out of an account or let somebody else do so.
_DANGEROUS = re.compile(
    r"withdraw|transfer|deposit_?address|borrow|repay|sub_?account|api_?key|dust", re.IGNORECASE
)
#: The same in the names of endpoints, where the description of a key may be asked for.
_MONEY = re.compile(r"withdraw|transfer|deposit|borrow|repay|sub_?account", re.IGNORECASE)

#: What may be changed: orders, leverage, margin, the dead man's switch; Kraken reads by POST.
_KNOWN_CHANGES = re.compile(
    r"order|cancel|leverage|marginType|BalanceEx|GetApiKeyInfo|TradesHistory", re.IGNORECASE
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

    @pytest.mark.parametrize("pack", offered_packs(), ids=lambda pack: pack.ccxt_id)
    def test_nothing_that_moves_money_out_is_on_the_list_of_a_venue(self, pack):
        changes = [call for call in pack.calls if call.method != "GET"]

        assert not [call for call in pack.calls if _MONEY.search(call.path)]
        assert {call.method for call in changes} <= {"POST", "DELETE"}
        assert not [call for call in changes if not _KNOWN_CHANGES.search(call.path)]

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


class TestEveryExchangeOfTheLibrary:
    """All of them, with and without a pack."""

    @pytest.mark.parametrize("initial", sorted({name[0] for name in library.exchanges}))
    def test_what_moves_money_raises_before_it_does_anything(self, initial):
        names = [name for name in library.exchanges if name.startswith(initial)]
        for exchange in map(tamed_class, names):
            dangerous = [
                name
                for name in dir(exchange)
                if re.match(r"withdraw|transfer|create_?deposit_?address", name, re.IGNORECASE)
                or re.match(r"(private|sapi|v\d)\w*(withdraw|transfer)", name, re.IGNORECASE)
            ]
            assert {"withdraw", "transfer"} <= set(dangerous)
            for name in dangerous:
                with pytest.raises(ForbiddenCallError):
                    getattr(exchange, name)(None)

    @pytest.mark.parametrize("code", ["coinbase", "deribit", "bitstamp"])
    def test_one_without_a_pack_is_asked_in_nobodys_name_and_told_nothing(self, code):
        pack = pack_of(code)
        address = "https://venue.example"
        wire = Wire(pack=pack, addresses=[address])
        url = yarl.URL(f"{address}/anything")

        async def attempt(method, *, headers=(), data=None, to=url):
            send = getattr(wire, method)
            try:
                async with send(to, data=data, headers=dict(headers), timeout=None):
                    return "sent"
            except ForbiddenCallError:
                return "refused"
            except Exception:  # noqa: BLE001  whatever a closed network says, the wire let it pass
                return "sent"

        async def every() -> list[str]:
            outcomes = [
                await attempt("get"),
                await attempt("post"),
                await attempt("delete"),
                await attempt("get", headers=[("X-API-KEY", "key")]),
                await attempt("get", data="{}"),
                await attempt("get", to=yarl.URL("https://other.example/anything")),
            ]
            await wire.close()
            return outcomes

        assert pack.takes_orders is False
        assert asyncio.run(every()) == ["sent", *["refused"] * 5]

    @pytest.mark.parametrize("pack", offered_packs(), ids=lambda pack: pack.ccxt_id)
    def test_nothing_is_sent_twice_by_itself(self, pack):
        exchange = make_exchange(
            replace(pack, options={"maxRetriesOnFailure": 3}), pack.address, timeout_s=1
        )

        assert exchange.options["maxRetriesOnFailure"] == 0
        assert exchange.aiohttp_trust_env is False


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'platform'}"}
