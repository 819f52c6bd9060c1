"""What trading tells others; every payload carries ids and plain values."""

from typing import Final

from foundation.events import declare

#: A deployment began; payload: deployment_id.
DEPLOYMENT_STARTED: Final = declare("trading.deployment-started")

#: A deployment has ended as asked; payload: deployment_id.
DEPLOYMENT_STOPPED: Final = declare("trading.deployment-stopped")

#: A deployment cannot do what it should; payload: deployment_id, code, message.
DEPLOYMENT_DEGRADED: Final = declare("trading.deployment-degraded")

#: What kept a deployment from working is over; payload: deployment_id, code.
DEPLOYMENT_RECOVERED: Final = declare("trading.deployment-recovered")

#: An order was refused, lost or contradicts itself; payload: deployment_id, order_id, status, code.
ORDER_PROBLEM: Final = declare("trading.order-problem")

#: An execution was booked; payload: deployment_id, fill_id.
FILL_RECORDED: Final = declare("trading.fill-recorded")
