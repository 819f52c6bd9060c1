"""What the database itself makes sure of, whoever writes and however many rows."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg.types.json import Jsonb

from market.enums import Leg, OrderActor, OrderStatus, Proof
from market.errors import ConflictError
from market.orders import EVIDENCE_FIELDS, STEPS
from tests.factories import trading as factory
from trading.models import IntentStatus, Order, OrderTransition, Reservation
from trading.services import orders
from trading.services.order_plans import Planned
from trading.services.orders import Move

pytestmark = pytest.mark.django_db

#: Tries every step of the table of all steps on one row, and says which of them the database took.
TRY_ALL = """
CREATE FUNCTION pg_temp.took(subject bigint, source text, target text, actor text, proof text,
    evidence jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        ALTER TABLE trading_order DISABLE TRIGGER USER;
        UPDATE trading_order SET status = source, venue_order_id = 'x' WHERE id = subject;
        ALTER TABLE trading_order ENABLE TRIGGER USER;
        UPDATE trading_order SET status = target, step_actor = actor, step_proof = proof,
            step_evidence = evidence WHERE id = subject;
        RAISE EXCEPTION USING ERRCODE = 'P0001';
    EXCEPTION WHEN check_violation THEN RETURN false; WHEN raise_exception THEN RETURN true;
    END;
END $$
"""


@pytest.fixture
def planned(desk) -> list[Planned]:
    intents = [desk.decide(key=f"entry-{number}") for number in range(40)]
    return [Planned(intent, intent.quantity) for intent in intents]


def move_of(order: Order, to: OrderStatus, **fields) -> Move:
    permits = STEPS[OrderStatus(order.status), to]
    actor, proof = next(iter(permits.items()))
    evidence = dict.fromkeys(EVIDENCE_FIELDS[proof], "told")
    values = {"actor": actor, "proof": proof, "evidence": evidence} | fields
    return Move(order=order, to=to, **values)


class TestTheDatabase:
    def test_takes_exactly_the_steps_of_the_table(self, desk):
        order = desk.enter()
        tries = [
            (source, target, actor, proof)
            for source in OrderStatus
            for target in OrderStatus
            if source is not target
            for actor in OrderActor
            for proof in {STEPS.get((source, target), {}).get(actor, Proof.CLAIM), Proof.NOTE}
        ]
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(TRY_ALL)
            cursor.execute(
                "SELECT s, t, a, p, pg_temp.took(%s, s, t, a, p, e) FROM"
                " unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[])"
                " AS tries (s, t, a, p, e)",
                [
                    order.pk,
                    *(list(map(str, column)) for column in zip(*tries, strict=True)),
                    [Jsonb(dict.fromkeys(EVIDENCE_FIELDS[each[3]], "x")) for each in tries],
                ],
            )
            taken = {tuple(row[:4]) for row in cursor.fetchall() if row[4]}

        assert taken == {
            (source.value, target.value, actor.value, proof.value)
            for (source, target), permits in STEPS.items()
            if source is not None
            for actor, proof in permits.items()
        }

    def test_keeps_every_step_even_if_nobody_thought_of_it(self, desk):
        order = desk.enter()
        Order.objects.filter(pk=order.pk).update(
            status="MANUAL_REVIEW",
            step_actor="RECONCILER",
            step_proof="CONTRADICTION",
            step_evidence={"contradiction": "two of them"},
        )

        last = OrderTransition.objects.filter(order=order).latest("pk")
        assert (last.from_status, last.to_status) == ("FILLED", "MANUAL_REVIEW")
        assert (last.actor, last.proof) == ("RECONCILER", "CONTRADICTION")
        assert last.evidence == {"contradiction": "two of them"}
        assert last.owner_id == order.owner_id

    @pytest.mark.parametrize(
        "change",
        [
            {"status": "MANUAL_REVIEW"},
            {
                "status": "MANUAL_REVIEW",
                "step_actor": "RECONCILER",
                "step_proof": "CONTRADICTION",
                "step_evidence": {},
            },
            {"filled_quantity": Decimal("0.05")},
            {"quantity": Decimal(1)},
            {"side": "SELL"},
            {"client_order_id": "0" * 32},
            {"leg": "EXIT"},
            {"reduce_only": True},
        ],
    )
    def test_refuses_what_a_careless_write_would_do(self, desk, change):
        order = desk.enter()

        with pytest.raises(IntegrityError), transaction.atomic():
            Order.objects.filter(pk=order.pk).update(**change)

    def test_a_step_that_was_said_once_does_not_serve_twice(self, desk):
        order = desk.enter()
        with transaction.atomic():
            orders.review(order, contradiction="?", evidence={}, message="", now=desk.now)
        stored = Order.objects.get(pk=order.pk)
        assert (stored.step_actor, stored.step_proof, stored.step_evidence) == ("", "", None)

        order.status = OrderStatus.FILLED.value
        with pytest.raises(IntegrityError), transaction.atomic():
            order.save()


class TestManyAtOnce:
    def statements(self, work) -> int:
        with (
            CaptureQueriesContext(
                connection,
            ) as captured,
            transaction.atomic(),
        ):
            work()
        return len(captured)

    def test_forty_orders_are_made_and_moved_in_as_many_statements_as_one(self, desk, planned):
        def go(some: list[Planned]) -> tuple[int, int]:
            made: list[Order] = []
            creation = self.statements(lambda: made.extend(orders.create_many(some, now=desk.now)))
            for order in made:
                order.venue_order_id = f"venue-{order.pk}"
            moves = [move_of(order, OrderStatus.ACCEPTED) for order in made]
            moving = self.statements(lambda: orders.move_many(moves, now=desk.now))
            return creation, moving

        one, forty = go(planned[:1]), go(planned[1:])

        assert one == forty
        assert OrderTransition.objects.count() == 2 * len(planned)
        assert {each.intent.status for each in planned} == {IntentStatus.ORDERED}
        assert set(Order.objects.values_list("status", "version")) == {("ACCEPTED", 1)}

    def test_one_unlawful_move_among_many_changes_nothing(self, desk, planned):
        with transaction.atomic():
            made = orders.create_many(planned[:3], now=desk.now)
        moves = [move_of(order, OrderStatus.UNKNOWN) for order in made]
        moves[1] = Move(
            order=made[1],
            to=OrderStatus.ABANDONED,
            actor=OrderActor.RECONCILER,
            proof=Proof.ABSENCE,
            evidence={},
        )

        with pytest.raises(ConflictError), transaction.atomic():
            orders.move_many(moves, now=desk.now)

        assert {order.status for order in made} == {OrderStatus.SUBMITTING}
        assert set(Order.objects.values_list("status", flat=True)) == {"SUBMITTING"}

    def test_what_ends_frees_what_was_set_aside_for_it(self, desk):
        desk.venue.next_submit(times_out=True)
        order = desk.enter()
        assert Reservation.objects.filter(released_at=None).count() == 1

        with transaction.atomic():
            ended = move_of(orders.lock_order(order.pk), OrderStatus.REJECTED)
            orders.move_many([ended], now=desk.now)

        assert not Reservation.objects.filter(released_at=None).exists()

    def test_a_second_attempt_has_another_id(self, desk):
        intent = factory.make_intent(
            desk.deployment, desk.instrument, now=desk.now, leg=Leg.EXIT, key="exit"
        )
        with transaction.atomic():
            first = orders.create(intent, quantity=intent.quantity, now=desk.now)
        with transaction.atomic():
            second = orders.create(intent, quantity=intent.quantity, now=desk.now)

        assert (first.attempt, second.attempt) == (0, 1)
        assert first.client_order_id != second.client_order_id
