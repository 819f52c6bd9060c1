"""Two web servers, two sets of workers and two clocks on one database: it does not matter who answers."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
import requests

from foundation.beat import LEADER_LOCK
from foundation.processes.ports import LOOPBACK, free_port
from tests.flows.live import connected_account, deployed, fills, script, stop
from tests.flows.stack import Stack, Visitor, eventually, register, subscribe
from tests.flows.test_backtest_journey import REQUEST, finished

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def second_url(stack: Stack) -> Iterator[str]:
    """Start a second copy of every process; return the address of its web server.

    Its lists and reports read through the address of a copy of the database, which here is the same one.
    """
    port = free_port()
    copies = (
        stack.application.web(port),
        *stack.application.workers(),
        stack.application.beat(),
    )
    names = []
    for spec in copies:
        command = tuple(part.replace("@%h", "-two@%h") for part in spec.command)
        environment = {
            **(spec.environment or {}),
            "DATABASE_REPLICA_URL": stack.application.environment["DATABASE_URL"],
        }
        stack.start(
            replace(spec, name=f"{spec.name}-two", command=command, environment=environment)
        )
        names.append(f"{spec.name}-two")
    url = f"http://{LOOPBACK}:{port}"
    eventually(lambda: _answers(url), what="the second web server answers")
    yield url
    for name in names:
        stack.kill(name)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def test_what_is_begun_on_one_is_finished_on_the_other(stack: Stack, second_url: str):
    here = register(stack)
    there = Visitor(stack, here.email, password=here.password, session=here.session, url=second_url)
    script(stack, "SOL/USDT", *[(10 * n, 150 * (1.01 if n % 2 else 0.995)) for n in range(40)])

    run_id = there.post("/backtests", REQUEST).json()["id"]
    run = eventually(lambda: finished(here, run_id), what="the backtest is done")
    assert run["metrics"]["trades"] == len(there.get(f"/backtests/{run_id}/trades")["results"])

    subscribe(here)
    account_id = connected_account(there)
    deployment_id = deployed(here, account_id, symbol="SOL/USDT")
    eventually(lambda: fills(there, deployment_id), what="it trades")
    stop(there, deployment_id)

    ours = here.get(f"/deployments/{deployment_id}/orders?limit=200")["results"]
    key, secret = stack.keys[account_id]
    theirs = stack.venue_truth(key, secret, "SOLUSDT")["orders"]
    sent = [order["client_order_id"] for order in ours if order["venue_order_id"]]
    assert sorted(sent) == sorted(order["clientOrderId"] for order in theirs)
    assert len(set(sent)) == len(sent) > 0

    assert there.session.post(
        f"{second_url}/accounts/logout/",
        data={"csrfmiddlewaretoken": there.token},
        headers={"Referer": second_url},
        timeout=20,
    ).ok
    assert here.session.get(f"{stack.url}/api/v1/backtests", timeout=20).status_code == 401


def test_of_two_clocks_one_leads_and_the_other_takes_over(stack: Stack, second_url: str):
    del second_url

    def leaders() -> int:
        with psycopg.connect(stack.application.environment["DATABASE_URL"]) as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s "
                "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                [LEADER_LOCK],
            ).fetchone()
        assert found is not None
        return int(found[0])

    assert leaders() == 1
    stack.kill("beat")
    try:
        eventually(lambda: leaders() == 1, what="the other clock leads", within_s=30)
    finally:
        stack.restart("beat")
    assert leaders() == 1
