"""One machine, plain HTTP on loopback: what ``manage.py up`` runs."""

from config.settings.base import *  # noqa: F403  the settings of a Django environment are its base plus differences

SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
# The demo on this machine is there to be looked at, its operator signs in without a telephone. Nobody else can reach it.
STAFF_SECOND_FACTOR_REQUIRED = False
