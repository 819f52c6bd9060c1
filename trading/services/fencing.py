"""The last look before the wire: whether what was prepared may still be sent.

A process can be paused between its transaction and its call, and by the time it goes on somebody
else may serve the account, or the deployment may have been told to stop. Only the database's clock
counts, and the rows as they are now.
"""

from collections.abc import Collection, Sequence

from django.conf import settings
from django.db import connection

from exchanges.services.leases import AccountLease
from foundation.transactions import refuse_inside_transaction
from trading.selectors import restrictions

#: What opens needs its deployment as it was at the decision: any command since has raised the epoch.
#: What closes or protects stays right, whatever the deployment was told.
_SENDABLE = """
    SELECT orders.id
      FROM trading_order AS orders
      JOIN unnest(%s::bigint[], %s::bigint[]) AS held (account_id, epoch)
        ON held.account_id = orders.account_id
      JOIN exchanges_exchangeaccount AS account
        ON account.id = held.account_id AND account.epoch = held.epoch
      JOIN trading_orderintent AS intent ON intent.id = orders.intent_id
      JOIN trading_deployment AS deployment ON deployment.id = orders.deployment_id
     WHERE orders.id = ANY (%s)
       AND orders.status = 'SUBMITTING'
       AND account.lease_until > clock_timestamp() + make_interval(secs => %s)
       AND (orders.reduce_only
            OR (deployment.epoch = intent.epoch AND deployment.desired_state = 'RUNNING'))
       AND (orders.leg = 'STOP' OR NOT %s)
       AND NOT EXISTS (
           SELECT 1
             FROM trading_tradingrestriction AS restriction
            WHERE restriction.released_at IS NULL
              AND (restriction.until_at IS NULL OR restriction.until_at > clock_timestamp())
              AND (NOT orders.reduce_only
                   OR (restriction.state = 'HALTED' AND orders.leg <> 'STOP'))
              AND NOT (restriction.spares_paper AND account.kind = 'PAPER')
              AND restriction.target_key IN (
                  'platform',
                  'venue:' || account.venue_id,
                  'person:' || orders.owner_id,
                  'account:' || orders.account_id,
                  'instrument:' || orders.instrument_id,
                  'account:' || orders.account_id || '/instrument:' || orders.instrument_id,
                  'deployment:' || orders.deployment_id
              )
       )
"""


def sendable(order_ids: Collection[int], *, held: Sequence[AccountLease]) -> frozenset[int]:
    """Return those of the orders that may go to the wire now, in one statement for all of them.

    An order may if the claim under which it was prepared is still ours and lasts for a while, if
    it is still on its way, and, where it opens something, if its deployment has not been told
    anything since the decision. Where trading is reduced only exits may, and where it is halted
    nothing but stops: whoever moves one has canceled its predecessor. Nothing has been sent of the
    others: they end DENIED.
    """
    refuse_inside_transaction("The last look before the wire")
    with connection.cursor() as cursor:
        cursor.execute(
            _SENDABLE,
            [
                [lease.account_id for lease in held],
                [lease.epoch for lease in held],
                list(order_ids),
                settings.HORIZONS.wire_margin_s,
                restrictions.is_halted_by_file(),
            ],
        )
        return frozenset(order_id for (order_id,) in cursor.fetchall())
