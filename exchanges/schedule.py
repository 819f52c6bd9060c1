"""What beat sends for the exchanges, in seconds between two sends."""

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "exchanges-tick-feeds": {
        "task": "exchanges.tick_feeds",
        "schedule": 1.0,
        # A tick that could not be handled in time is worth nothing: the next one does its work.
        "options": {"expires": 3},
    },
    "exchanges-sweep-account-tests": {
        "task": "exchanges.sweep_account_tests",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "exchanges-start-due-tests": {
        "task": "exchanges.start_due_tests",
        "schedule": 30.0,
        "options": {"expires": 60},
    },
    "exchanges-claim-balances": {
        "task": "exchanges.claim_balances",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "exchanges-record-equity": {
        "task": "exchanges.record_equity",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "exchanges-prune-equity": {
        "task": "exchanges.prune_equity",
        "schedule": 3_600.0,
        "options": {"expires": 3_600},
    },
    "exchanges-measure-clocks": {
        "task": "exchanges.measure_clocks",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "exchanges-sync-instruments": {
        "task": "exchanges.sync_instruments",
        "schedule": 3_600.0,
        "options": {"expires": 3_600},
    },
    "exchanges-watch-feeds": {
        "task": "exchanges.watch_feeds",
        "schedule": 15.0,
        "options": {"expires": 30},
    },
    "exchanges-repair-gaps": {
        "task": "exchanges.repair_gaps",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "exchanges-refresh-quotes": {
        "task": "exchanges.refresh_quotes",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "exchanges-refresh-funding": {
        "task": "exchanges.refresh_funding",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "exchanges-sweep-history": {
        "task": "exchanges.sweep_history",
        "schedule": 15.0,
        "options": {"expires": 30},
    },
    "exchanges-seal-candles": {
        "task": "exchanges.seal_candles",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "exchanges-prune-candles": {
        "task": "exchanges.prune_candles",
        "schedule": 3_600.0,
        "options": {"expires": 3_600},
    },
}
