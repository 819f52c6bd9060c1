"""Many accounts at one address: the venue never has to refuse, and what is urgent does not wait behind what is not."""

import asyncio
import secrets
import time
from statistics import median

import pytest

from exchanges.adapters import loops
from exchanges.adapters.governor import Caller, calling_as, gate_of, within
from exchanges.adapters.lanes import BudgetSpentError
from exchanges.adapters.packs import pack_of
from exchanges.domain.priorities import CallPriority
from foundation.processes.embedded import start
from foundation.processes.embedded_valkey import prepare_valkey
from foundation.processes.folders import choose_folders, make_temporary_folder
from foundation.processes.server_user import choose_server_user
from foundation.processes.spawning import Watchdog
from tests.exchanges.calls.storm import (
    CHECKOUT,
    StrictVenue,
    in_a_fork,
    make_client,
    outcomes,
    send,
    send_all,
)

pytestmark = pytest.mark.enable_socket

ACCOUNTS = 60


@pytest.fixture
def venue():
    """A venue that takes a hundred in any two seconds, so that sixty are ours."""
    with StrictVenue(limit=100, span_s=2) as running:
        yield running


def clients_of(venue, count=ACCOUNTS):
    first = secrets.randbelow(10**9)
    return [make_client(venue.url, first + number) for number in range(count)]


def test_entries_queue_and_exits_do_not_and_the_venue_never_says_that_it_was_too_much(venue):
    clients = clients_of(venue)

    async def storm():
        entries = asyncio.create_task(send_all(clients, CallPriority.ENTRY))
        await asyncio.sleep(0.5)
        exits = await send_all(clients[:8], CallPriority.EXIT)
        return await entries, exits

    entries, exits = loops.run(storm())

    assert (outcomes(entries), outcomes(exits)) == ({"DONE": ACCOUNTS}, {"DONE": 8})
    assert max(each.took_s for each in exits) < median(each.took_s for each in entries) / 2
    assert max(each.took_s for each in entries) > 2
    assert venue.stats() == {"most": venue.stats()["most"], "refused": 0, "orders": ACCOUNTS + 8}


def test_two_processes_share_one_budget(venue):
    def storm():
        return outcomes(loops.run(send_all(clients_of(venue, 30), CallPriority.ENTRY)))

    loops.run(send(clients_of(venue, 1)[0], CallPriority.EXIT))
    with in_a_fork(storm) as result_of_the_other:
        mine = storm()
        theirs = result_of_the_other()

    assert (mine, theirs) == ({"DONE": 30}, {"DONE": 30})
    assert venue.stats() == {"most": venue.stats()["most"], "refused": 0, "orders": 61}
    # Sixty may go out in a span, and some arrive a little later; two that did not share would bring eighty.
    assert venue.stats()["most"] < 75


def test_what_cannot_go_in_time_is_not_sent_at_all(venue):
    clients = clients_of(venue)

    sent = loops.run(send_all(clients, CallPriority.ENTRY, timeout_s=1.0))

    done = outcomes(sent)["DONE"]
    assert outcomes(sent) == {"DONE": done, "NOT_SENT rate_limited": ACCOUNTS - done}
    assert 0 < done == venue.stats()["orders"]
    assert max(each.took_s for each in sent) < 1.5


def test_an_owner_with_many_orders_leaves_room_for_the_next_one(venue):
    noisy, quiet = clients_of(venue, 2)

    async def storm():
        many = asyncio.create_task(send_all([noisy] * 200, CallPriority.ENTRY, timeout_s=4.0))
        await asyncio.sleep(0.7)
        leaving = await send(noisy, CallPriority.EXIT)
        few = await send_all([quiet] * 3, CallPriority.ENTRY)
        many.cancel()
        return leaving, few

    leaving, few = loops.run(storm())

    assert (leaving.outcome, leaving.took_s < 1) == ("DONE", True)

    assert outcomes(few) == {"DONE": 3}
    # It waits until the shared part has room again, which is less than two spans; not for the two hundred.
    assert max(each.took_s for each in few) < 4
    assert venue.stats()["refused"] == 0


def test_what_others_spend_at_the_same_address_counts(venue):
    (client,) = clients_of(venue, 1)
    loops.run(send(client, CallPriority.EXIT))
    venue.spend(60)

    async def later():
        return [await send(client, CallPriority.EXIT, timeout_s=1.0) for _ in range(2)]

    first, second = loops.run(later())

    assert first.outcome == "DONE"
    assert second.outcome == "NOT_SENT rate_limited"


def test_a_key_has_a_budget_of_its_own_where_the_venue_counts_keys_apart():
    pack, address = pack_of("kraken"), f"https://{secrets.token_hex(6)}.example"

    def gate(number):
        caller = Caller.of(owner_id=number, api_key=f"key-{number}")
        return gate_of(pack, address=address, call_pause_ms=0.0, caller=caller)

    async def spend():
        sent = 0
        with pytest.raises(BudgetSpentError):
            for _ in range(40):
                async with within(0.2):
                    await gate(1).admit(cost=0.0, weight=2, is_order=False)
                sent += 2
        async with within(0.2):
            await gate(2).admit(cost=0.0, weight=2, is_order=False)
        return sent

    assert loops.run(spend()) == int(20 * 0.6)


def test_whoever_has_looked_before_waits_for_a_turn_only_as_long_as_the_look_is_good():
    pack, address = pack_of("kraken"), f"https://{secrets.token_hex(6)}.example"
    gate = gate_of(
        pack, address=address, call_pause_ms=0.0, caller=Caller.of(owner_id=1, api_key="key")
    )

    async def spend():
        for _ in range(40):
            async with within(60.0):
                await gate.admit(cost=0.0, weight=2, is_order=False)

    began = time.monotonic()
    with calling_as(CallPriority.ENTRY, patience_s=0.1), pytest.raises(BudgetSpentError):
        loops.run(spend())

    # Without patience it would be the three quarters of a minute that the call has.
    assert time.monotonic() - began < 20


def test_a_pause_that_the_venue_asks_for_is_kept_by_everybody(venue, settings):
    settings.VENUE_BUDGET_SHARE = 1.0
    asked, another = clients_of(venue, 2)
    loops.run(send(asked, CallPriority.EXIT))
    venue.spend(78)

    refused = loops.run(send(asked, CallPriority.CANCEL))
    before = venue.stats()
    held = loops.run(send(another, CallPriority.CANCEL, timeout_s=0.5))

    assert refused.outcome == "REJECTED rate_limited"
    assert held.outcome == "NOT_SENT rate_limited"
    assert venue.stats()["orders"] == before["orders"]


def test_without_redis_a_process_goes_on_within_its_part_and_comes_back_by_itself(
    venue, settings, tmp_path
):
    user = choose_server_user(CHECKOUT)
    settings.VENUE_PROCESSES = 2
    home = make_temporary_folder("governor", user)
    with Watchdog() as watchdog, (tmp_path / "log").open("wb") as log:
        watchdog.remove(home)
        server = prepare_valkey(
            home, user=user, durable=False, programs_home=choose_folders(CHECKOUT, user).server_data
        )
        settings.REDIS_URL = server.url
        running = start(server, watchdog, output=log)
        clients = clients_of(venue, 40)

        async def storm():
            entries = asyncio.create_task(send_all(clients, CallPriority.ENTRY))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(running.stop)
            exits = await send_all(clients[:3], CallPriority.EXIT)
            return await entries, exits

        entries, exits = loops.run(storm())
        alone = venue.stats()
        back = start(server, watchdog, output=log)
        again = loops.run(send_all(clients[:5], CallPriority.EXIT))
        back.stop()

    assert outcomes(exits) == {"DONE": 3}
    assert outcomes(entries)["DONE"] > 12
    assert set(outcomes(entries)) <= {"DONE", "NOT_SENT rate_limited"}
    assert outcomes(again) == {"DONE": 5}
    assert (alone["refused"], venue.stats()["refused"]) == (0, 0)
