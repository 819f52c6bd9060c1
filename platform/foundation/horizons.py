"""Every time limit of the platform in one place, so that a test can scale them all."""

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class Horizons:
    """Durations in seconds."""

    #: A claim on work runs out by itself after this long.
    lease_s: float = 60.0
    #: An order in SUBMITTING for longer than this was left behind by a dead worker.
    submitting_s: float = 10.0
    #: What has to wait for something else, or came to nothing, is tried again after this long.
    retry_s: float = 1.0
    #: A position that has had no stop for this long is closed.
    protect_s: float = 10.0
    #: Without a call for this long a venue cancels the orders of an account whose stops do not rest;
    #: it is called this often.
    dead_man_s: float = 120.0
    dead_man_refresh_s: float = 30.0
    #: An order that the venue does not know is absent only after this long.
    absence_s: float = 60.0
    #: The same where a venue finds an order of ours only in lists.
    absence_listed_s: float = 900.0
    #: What moved or filled so lately may not be in the lists of a venue yet.
    recent_s: float = 5.0
    #: Two look-ups count as two only if they are this far apart.
    lookup_interval_s: float = 10.0
    #: An order whose fate nobody knows is looked for this often.
    in_flight_s: float = 5.0
    #: Accounts with working orders are reconciled this often, others at ``reconcile_idle_s``.
    reconcile_s: float = 15.0
    reconcile_idle_s: float = 60.0
    #: An event whose delivery was not recorded is delivered again after this long.
    redeliver_s: float = 15.0
    #: A bar is too old to enter on after max(stale_s, min(timeframe, stale_timeframe_cap_s)).
    stale_s: float = 15.0
    stale_timeframe_cap_s: float = 60.0
    #: A bar of at most five minutes is final this long after its close at the earliest, a longer one
    #: after ``finality_long_s``: venues correct a bar in the first moments.
    finality_s: float = 2.0
    finality_long_s: float = 5.0
    #: Where no newer bar shows that one is over, it is read twice, this far apart.
    reread_s: float = 1.0
    #: A hole among candles is asked about again after this long, before it counts as confirmed.
    gap_s: float = 60.0
    #: While a feed stays behind, those who depend on it are told again this often.
    remind_s: float = 3_600.0
    #: A call to a venue begins only if the claim on its account lasts this much longer.
    wire_margin_s: float = 5.0
    #: No answer from a venue within this time is no answer.
    venue_timeout_s: float = 8.0
    #: What an account has to spend is asked anew after this long; until then our own orders and fills tell.
    balance_s: float = 300.0
    #: A venue that fails too often is left alone for this long at first, and at most for twenty times as long.
    breaker_s: float = 30.0
    #: A venue that has banned our address without saying for how long is not asked for this long.
    ban_s: float = 120.0
    #: A notice that has not arrived in whole after this long is not waited for.
    body_s: float = 10.0
    #: An order is asked about at its provider this long after it was opened, then ever more rarely.
    payment_check_s: float = 60.0
    #: The bank for development confirms a delayed payment after this long.
    development_delay_s: float = 20.0
    #: The end of a bought subscription is carried out this long after it; entries stop at the end itself.
    grace_s: float = 72 * 3_600.0

    def scaled(self, factor: float) -> Self:
        """Return all horizons multiplied by *factor*."""
        return type(self)(
            **{field.name: getattr(self, field.name) * factor for field in fields(self)}
        )
