"""What billing tells the apps above it; every event has the person as its owner.

An event may arrive late: who acts on one asks ``selectors.entitlements.is_entitled`` again.
"""

from typing import Final

from foundation.events import declare

#: A person has a right to a product (again); payload: subscription_id, product_code.
SUBSCRIPTION_STARTED: Final = declare("billing.subscription-started")

#: The right is over: expired, canceled or taken away; payload: subscription_id, product_code.
SUBSCRIPTION_ENDED: Final = declare("billing.subscription-ended")
