"""Months of trading as rows, made by the database itself: they are read, nobody acts on them.

Triggers and foreign keys are passed over while the rows go in; every index is written as ever.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction

#: So much of all orders and decisions of deployments is of the one person who is looked at.
SHARE: Final = 10

_GROUP_DECISIONS: Final = """
    INSERT INTO trading_groupdecision (bar_close_at, reason, detail, group_id, instrument_id)
    SELECT date_trunc('minute', %(before)s::timestamptz) - make_interval(mins => bar),
           (ARRAY['NO_SIGNAL', 'NO_SIGNAL', 'NO_SIGNAL', 'HOLD', 'WARMING_UP'])[1 + bar %% 5], '{}',
           traded.signalgroup_id, traded.instrument_id
    FROM generate_series(1, %(bars)s) AS bar, trading_signalgroup_instruments AS traded
"""
_OWN_DECISIONS: Final = """
    INSERT INTO trading_deploymentdecision
           (bar_close_at, reason, detail, deployment_id, instrument_id, owner_id, revision_id)
    SELECT date_trunc('minute', %(before)s::timestamptz) - make_interval(mins => bar * 3), 'COOLDOWN',
           '{}', revision.deployment_id, traded.instrument_id, revision.owner_id, revision.id
    FROM trading_deploymentrevision AS revision
    JOIN trading_deploymentinstrument AS traded USING (deployment_id),
         generate_series(1, CASE WHEN revision.owner_id = %(owner)s THEN %(mine)s ELSE %(each)s END)
         AS bar
"""
_INTENTS: Final = """
    INSERT INTO trading_orderintent
           (public_id, decision_key, leg, side, order_type, quantity, reduce_only, stop_percent,
            target_percent, decided_price, bar_close_at, status, reason_code, epoch, step,
            not_before, account_id, deployment_id, instrument_id, owner_id, revision_id)
    SELECT gen_random_uuid(), 'filled-' || nth, 'ENTRY', 'BUY', 'MARKET', 1, false, 0, 0, 100, at,
           'ORDERED', '', 0, 0, at, traded.account_id, traded.deployment_id, traded.instrument_id,
           traded.owner_id, revision.id
    FROM trading_deploymentinstrument AS traded
    JOIN trading_deploymentrevision AS revision USING (deployment_id),
         generate_series(1, CASE WHEN traded.owner_id = %(owner)s THEN %(mine)s ELSE %(each)s END)
         AS nth,
         LATERAL (SELECT %(before)s::timestamptz - make_interval(mins => nth * 7) AS at) AS time
"""
_ORDERS: Final = """
    INSERT INTO trading_order
           (public_id, attempt, client_order_id, venue_order_id, leg, side, order_type, quantity,
            reduce_only, filled_quantity, average_price, status, reason_code, reason_message,
            submitted_at, finished_at, absent_lookups, version, account_id, deployment_id,
            instrument_id, owner_id, intent_id, balance_before, step_actor, step_proof)
    SELECT gen_random_uuid(), 0, 'order-' || id, 'paper-' || id, leg, side, order_type, quantity,
           false, quantity, 100, 'FILLED', '', '', not_before, not_before, 0, 3, account_id,
           deployment_id, instrument_id, owner_id, id, '{}', '', ''
    FROM trading_orderintent WHERE decision_key LIKE 'filled-%%'
"""
_STEPS: Final = """
    INSERT INTO trading_ordertransition
           (from_status, to_status, actor, proof, evidence, order_id, owner_id)
    SELECT step.before, step.after, 'VENUE', 'VENUE_RECORD', '{}', made.id, made.owner_id
    FROM trading_order AS made,
         (VALUES ('', 'SUBMITTING'), ('SUBMITTING', 'ACCEPTED'), ('ACCEPTED', 'FILLED'))
         AS step(before, after)
"""
_FILLS: Final = """
    INSERT INTO trading_fill
           (venue_trade_id, side, quantity, price, fee, fee_currency, fee_in_quote, realized_pnl,
            liquidity, is_manual, venue_at, account_id, deployment_id, instrument_id, owner_id,
            order_id)
    SELECT 'trade-' || id, side, quantity, average_price, 0.1, 'USDT', 0.1, 0, 'TAKER', false,
           submitted_at, account_id, deployment_id, instrument_id, owner_id, id
    FROM trading_order
"""

#: What grows with time; a query that reads all of one of these has lost.
LARGE_TABLES: Final = (
    "trading_groupdecision",
    "trading_deploymentdecision",
    "trading_orderintent",
    "trading_order",
    "trading_ordertransition",
    "trading_fill",
)


@dataclass(frozen=True, slots=True)
class Amount:
    """How many rows to make of what."""

    decisions: int
    orders: int


def fill_tables(amount: Amount, *, owner_id: int, before: datetime) -> None:
    """Make so many decisions and orders that were over *before*; a tenth of the latter is *owner_id*'s.

    A fifth of the decisions is of deployments, the others are of groups.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # An earlier month's decisions get partitions, as if the platform had run since then.
        cursor.execute(
            "SELECT trading_ensure_decision_partitions(%s - interval '2 months', 5)", [before]
        )
        cursor.execute("SET LOCAL session_replication_role = replica")
        # No statement of the platform may take as long as these do.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT (SELECT count(*) FROM trading_signalgroup), count(*),"
            " count(*) FILTER (WHERE owner_id = %s) FROM trading_deployment",
            [owner_id],
        )
        groups, deployments, mine = cursor.fetchone()

        def shared(rows: int) -> dict[str, datetime | int]:
            return {
                "before": before,
                "owner": owner_id,
                "mine": rows // SHARE // mine,
                "each": (rows - rows // SHARE) // (deployments - mine),
            }

        own = amount.decisions // 5
        bars = (amount.decisions - own) // groups
        cursor.execute(_GROUP_DECISIONS, {"before": before, "bars": bars})
        cursor.execute(_OWN_DECISIONS, shared(own))
        cursor.execute(_INTENTS, shared(amount.orders))
        for statement in (_ORDERS, _STEPS, _FILLS):
            # Without arguments nothing is put in the place of a percent sign.
            cursor.execute(statement.replace("%%", "%"))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
