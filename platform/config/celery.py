"""The Celery application. A message is only a hint: rows say what must be done."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

app = Celery("trading_platform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
