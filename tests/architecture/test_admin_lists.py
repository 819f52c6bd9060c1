"""Every table of ours has a list in the operators' admin."""

from django.apps import apps
from django.contrib import admin

OURS = [
    "foundation",
    "accounts",
    "billing",
    "exchanges",
    "strategies",
    "backtesting",
    "trading",
    "referrals",
]


def test_every_model_is_registered_with_a_real_list():
    missing = []
    for label in OURS:
        for model in apps.get_app_config(label).get_models():
            registered = admin.site._registry.get(model)
            if registered is None or registered.list_display == ("__str__",):
                missing.append(model._meta.label)

    assert missing == []
