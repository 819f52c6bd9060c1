"""What beat sends for billing, in seconds between two sends."""

from typing import Any, Final

from celery.schedules import crontab

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "billing-expire-subscriptions": {
        "task": "billing.expire_subscriptions",
        "schedule": 60.0,
        "options": {"expires": 120},
    },
    "billing-remind-of-ends": {
        "task": "billing.remind_of_ends",
        "schedule": 60.0,
        "options": {"expires": 120},
    },
    "billing-sweep-orders": {
        "task": "billing.sweep_orders",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "billing-sweep-provider-events": {
        "task": "billing.sweep_provider_events",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "billing-sweep-payments": {
        "task": "billing.sweep_payments",
        "schedule": 30.0,
        "options": {"expires": 60},
    },
    "billing-sweep-refunds": {
        "task": "billing.sweep_refunds",
        "schedule": 15.0,
        "options": {"expires": 60},
    },
    "billing-sweep-development": {
        "task": "billing.sweep_development",
        "schedule": 5.0,
        "options": {"expires": 20},
    },
    "billing-recognize-revenue": {
        "task": "billing.recognize_revenue",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "billing-verify-ledger": {
        "task": "billing.verify_ledger",
        "schedule": crontab(hour="3", minute="20"),
        "options": {"expires": 3_600},
    },
}
