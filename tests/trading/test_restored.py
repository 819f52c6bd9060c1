"""A database that was restored, copied or failed over: nothing is sent until an operator has said so."""

from types import SimpleNamespace

import pytest
from django.db import connection

from foundation import database_identity
from foundation.audit import Actor
from trading import tasks
from trading.models import DatabaseMark, IntentStatus, ReleaseRule, TradingRestriction
from trading.selectors import restrictions as selectors
from trading.services import restored, restrictions, triggers

pytestmark = pytest.mark.django_db

OPERATOR = Actor.system("test-operator")


@pytest.fixture
def copied(desk) -> None:
    """Leave the mark of another database, as a copy of its data has it."""
    restored.halt_if_restored(now=desk.now)
    DatabaseMark.objects.update(identity="7000000000000000001/00000001/16384")


def halts(desk) -> list[TradingRestriction]:
    return [row for row in selectors.all_in_force(now=desk.now) if row.cause == "RESTORED"]


def refused(desk) -> tuple[str, str]:
    intent = desk.decide()
    desk.submit()
    intent.refresh_from_db()
    return intent.status, intent.reason_code


class TestTheDatabase:
    def test_that_is_new_or_the_same_halts_nothing(self, desk):
        triggers.watch(now=desk.now)
        triggers.watch(now=desk.now)
        assert not halts(desk)

    @pytest.mark.usefixtures("copied")
    def test_that_is_another_one_halts_everything_until_an_operator_lets_it_go_on(self, desk):
        triggers.watch(now=desk.now)

        (row,) = halts(desk)
        assert (row.state, row.release_rule, row.spares_paper) == (
            "HALTED",
            ReleaseRule.OPERATOR,
            False,
        )
        assert refused(desk) == (IntentStatus.DENIED, "TRADING_HALTED")

        restrictions.release(
            restriction=row, note="It is a restore.", by=OPERATOR, is_operator=True, now=desk.now
        )
        triggers.watch(now=desk.now)
        assert not halts(desk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize(("queue", "number"), [("orders", 1), ("control", 1), ("compute", 0)])
def test_a_worker_that_sends_looks_before_it_takes_its_first_task(desk, queue, number):
    queues = SimpleNamespace(consume_from={queue: None})
    tasks.halt_if_restored(
        sender=SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)))
    )
    assert len(halts(desk)) == number


def test_names_cluster_timeline_and_database():
    cluster, timeline, database = database_identity.read().split("/")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT system_identifier FROM pg_control_system()),"
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert (int(cluster), int(database)) == cursor.fetchone()
    assert int(timeline, 16) == 1


def test_where_the_service_does_not_tell_its_cluster_the_rest_counts(desk):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE of_a_service")
        cursor.execute("SET LOCAL ROLE of_a_service")
        cursor.execute("SELECT has_function_privilege('pg_control_system()', 'execute')")
        may_tell = cursor.fetchone()[0]
        name = database_identity.read()
        cursor.execute("RESET ROLE")
    assert bool(name.split("/")[0]) is may_tell
    assert name.split("/")[1:] == database_identity.read().split("/")[1:]
