"""What billing tells the apps above it; every event has the person as its owner.

An event may arrive late: who acts on one asks ``selectors.entitlements.is_entitled`` again.
"""

from typing import Final

from foundation.events import declare

#: A person has a right to a product (again); payload: subscription_id, product_code.
SUBSCRIPTION_STARTED: Final = declare("billing.subscription-started")

#: The right is over: expired, canceled or taken away; payload: subscription_id, product_code.
SUBSCRIPTION_ENDED: Final = declare("billing.subscription-ended")

#: A payment is settled; payload: payment_id (int), currency, amount, fee, net (decimal texts), and
#: sequence (int), the how-many-th settled payment of the person, from 1.
PAYMENT_SETTLED: Final = declare("billing.payment-settled")

#: Money was given back; payload: payment_id, refund_id (int), currency, amount (of this refund),
#: total_refunded (of the payment so far) and paid (the payment's amount), as decimal texts.
PAYMENT_REFUNDED: Final = declare("billing.payment-refunded")
