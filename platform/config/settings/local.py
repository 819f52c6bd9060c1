"""One machine, plain HTTP on loopback: what ``manage.py up`` runs."""

from config.settings.base import *  # noqa: F403  the settings of a Django environment are its base plus differences

SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
