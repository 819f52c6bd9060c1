"""What beat sends for trading: sweepers that find the rows whose message was lost."""

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "trading-sweep-evaluation": {"task": "trading.sweep_evaluation", "schedule": 2.0},
    "trading-split-shards": {"task": "trading.split_shards", "schedule": 60.0},
    "trading-submit-due-intents": {"task": "trading.submit_due_intents", "schedule": 2.0},
    "trading-reconcile-due-accounts": {"task": "trading.reconcile_due_accounts", "schedule": 2.0},
    "trading-sweep-unprotected": {"task": "trading.sweep_unprotected", "schedule": 2.0},
    "trading-refresh-dead-men": {"task": "trading.refresh_dead_men", "schedule": 10.0},
    # It looks every few minutes whether the report of the day is due: from 03:10 UTC on.
    "trading-report-daily": {"task": "trading.report_daily", "schedule": 300.0},
    # It asks each account once an hour, soon after the hour: then fundings are settled.
    "trading-book-fundings": {"task": "trading.book_fundings", "schedule": 60.0},
    "trading-sweep-commands": {"task": "trading.sweep_commands", "schedule": 2.0},
    "trading-sweep-rights": {"task": "trading.sweep_rights", "schedule": 30.0},
    "trading-sweep-drift-reports": {"task": "trading.sweep_drift_reports", "schedule": 30.0},
    "trading-sweep-restrictions": {"task": "trading.sweep_restrictions", "schedule": 5.0},
    "trading-watch-triggers": {"task": "trading.watch_triggers", "schedule": 5.0},
    "trading-sweep-erasures": {"task": "trading.sweep_erasures", "schedule": 30.0},
    "trading-prune-decisions": {"task": "trading.prune_decisions", "schedule": 86_400.0},
    "trading-ensure-partitions": {"task": "trading.ensure_partitions", "schedule": 86_400.0},
}
