"""The operators' pages: their theme and menu, and the settings of the site that are changed there."""

from decimal import Decimal
from typing import Any, Final

from django.templatetags.static import static
from django.urls import reverse_lazy

# --- settings of the site -----------------------------------------------------------------------------------------

# In the database, so that a change holds for every process at once (see foundation.site_settings).
CONSTANCE_BACKEND = "constance.backends.database.DatabaseBackend"
CONSTANCE_CONFIG: dict[str, tuple[Any, str]] = {
    "SITE_NAME": ("Trading Platform", "How this installation calls itself on pages and in mails."),
    "SUPPORT_EMAIL": ("", "Where people may write to; empty to show none."),
    "MAIL_FROM_NAME": ("Trading Platform", "The name of the sender of mails."),
    "SIGN_UP_OPEN": (True, "Whether strangers may create an account."),
    "MAXIMUM_PEOPLE": (
        0,
        "Nobody can sign up beyond this number of active people; 0 for no limit.",
    ),
    "ANNOUNCEMENT": ("", "Shown above every page; empty to show none."),
    "ANNOUNCEMENT_IS_WARNING": (False, "Whether the announcement is shown as a warning."),
    "REFERRAL_RATE": (
        Decimal("0.10"),
        "What a referrer earns of a payment after the provider's fee, as a fraction: 0.10 is 10 %.",
    ),
    "REFERRAL_PAYMENTS": (
        "FIRST",
        "FIRST: only the first payment of a referred person earns. ALL: every one does.",
    ),
    "REFERRAL_WINDOW_DAYS": (
        30,
        "How many days after following a link somebody may sign up and still be referred by it.",
    ),
    "REFERRAL_HOLD_DAYS": (
        30,
        "After how many days without a refund a commission can be paid out.",
    ),
    "REFERRAL_MINIMUM_PAYOUT": (
        Decimal(20),
        "Nobody can ask for less than this to be paid out; in the currency of the payout.",
    ),
}

# How the lists write instants: Django's own English formats have no seconds and half days.
FORMAT_MODULE_PATH = "config.formats"

# --- theme and menu -----------------------------------------------------------------------------------------------


def _entry(title: str, icon: str, model: str, *, app: str) -> dict[str, Any]:
    def may_look(request: Any) -> bool:
        return bool(request.user.has_perm(f"{app}.view_{model}"))

    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": may_look,
    }


def _may_see_settings(request: Any) -> bool:
    return bool(request.user.has_perm("constance.change_config"))


_PEOPLE: Final = [
    _entry("People", "group", "user", app="accounts"),
    _entry("E-mail addresses", "alternate_email", "emailaddress", app="account"),
    _entry("Second factors", "password", "authenticator", app="mfa"),
    _entry("Sessions", "devices", "usersession", app="usersessions"),
    _entry("Personal tokens", "key", "personaltoken", app="accounts"),
    _entry("Notifications", "notifications", "notification", app="accounts"),
    _entry("Mails", "mail", "mail", app="accounts"),
]
_STRATEGIES: Final = [
    _entry("Catalogue", "lightbulb", "strategy", app="strategies"),
    _entry("Versions", "history", "strategyversion", app="strategies"),
    _entry("Evidence", "query_stats", "evidence", app="strategies"),
    _entry("Backtests", "science", "backtestrun", app="backtesting"),
    _entry("Sweeps", "grid_view", "sweep", app="backtesting"),
]
_TRADING: Final = [
    _entry("Deployments", "rocket_launch", "deployment", app="trading"),
    _entry("Orders", "receipt_long", "order", app="trading"),
    _entry("Intents", "assignment", "orderintent", app="trading"),
    _entry("Fills", "done_all", "fill", app="trading"),
    _entry("Positions", "stacked_line_chart", "accountposition", app="trading"),
    _entry("Daily reports", "fact_check", "reconciliationreport", app="trading"),
    _entry("External orders", "move_to_inbox", "externalorder", app="trading"),
    _entry("Exchange accounts", "wallet", "exchangeaccount", app="exchanges"),
    _entry("Venues", "account_balance", "venue", app="exchanges"),
    _entry("Instruments", "currency_exchange", "instrument", app="exchanges"),
    _entry("Candle feeds", "candlestick_chart", "candlefeed", app="exchanges"),
]
_BILLING: Final = [
    _entry("Subscriptions", "card_membership", "subscription", app="billing"),
    _entry("Grants", "redeem", "grant", app="billing"),
    _entry("Plans", "workspace_premium", "plan", app="billing"),
    _entry("Products", "inventory_2", "product", app="billing"),
    _entry("Prices", "sell", "price", app="billing"),
    _entry("Payments", "credit_card", "payment", app="billing"),
    _entry("Refunds", "undo", "refund", app="billing"),
    _entry("Disputes", "gavel", "dispute", app="billing"),
    _entry("Provider notices", "webhook", "providerevent", app="billing"),
    _entry("Ledger entries", "menu_book", "ledgerentry", app="billing"),
    _entry("Ledger accounts", "account_balance", "ledgeraccount", app="billing"),
]
_REFERRALS: Final = [
    _entry("Payouts", "payments", "payout", app="referrals"),
    _entry("Commissions", "percent", "commission", app="referrals"),
    _entry("Refunds", "undo", "clawback", app="referrals"),
    _entry("Attributions", "handshake", "attribution", app="referrals"),
    _entry("Referrers", "share", "referralcode", app="referrals"),
]
_SYSTEM: Final = [
    {
        "title": "Site settings",
        "icon": "settings",
        "link": reverse_lazy("admin:constance_constance_changelist"),
        "permission": _may_see_settings,
    },
    _entry("Audit log", "policy", "auditentry", app="foundation"),
    _entry("Events", "outbox", "outboxevent", app="foundation"),
    _entry("Signs of life", "ecg_heart", "heartbeat", app="foundation"),
    _entry("Schedule", "schedule", "periodictask", app="django_celery_beat"),
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "foundation.site_settings.name_for_operators",
    "SITE_HEADER": "foundation.site_settings.name_for_operators",
    "SITE_SUBHEADER": "Operators",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("img/mark.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/mark.svg")}
    ],
    "SHOW_HISTORY": False,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "web.operations.views.fill_summary",
    "STYLES": [lambda request: static("css/operators.css")],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        # The accent of the platform's own pages (static/css/tokens.css).
        "primary": {
            "50": "oklch(97% .014 268)",
            "100": "oklch(94% .032 268)",
            "200": "oklch(89% .06 268)",
            "300": "oklch(82% .1 268)",
            "400": "oklch(72% .14 268)",
            "500": "oklch(62% .18 268)",
            "600": "oklch(51% .2 268)",
            "700": "oklch(45% .2 268)",
            "800": "oklch(39% .17 268)",
            "900": "oklch(34% .13 268)",
            "950": "oklch(24% .09 268)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": True,
        "navigation": [
            {
                "title": "",
                "items": [
                    {
                        "title": "Summary",
                        "icon": "dashboard",
                        "link": reverse_lazy("admin:index"),
                    }
                ],
            },
            {"title": "People", "collapsible": True, "items": _PEOPLE},
            {"title": "Strategies", "collapsible": True, "items": _STRATEGIES},
            {"title": "Trading", "collapsible": True, "items": _TRADING},
            {"title": "Billing", "collapsible": True, "items": _BILLING},
            {"title": "Referrals", "collapsible": True, "items": _REFERRALS},
            {"title": "System", "collapsible": True, "items": _SYSTEM},
        ],
    },
}
