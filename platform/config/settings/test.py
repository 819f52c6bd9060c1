"""The test suite, against real servers."""

from config.settings.base import *  # noqa: F403  the settings of a Django environment are its base plus differences
from foundation.rates import Rate

# The default hasher is slow on purpose; a suite that signs in hundreds of times needs a quick one.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
# A fresh checkout has collected nothing: files are served from where they lie.
WHITENOISE_USE_FINDERS = True

# What one test has stored is no other one's; the tests of the files switch them on.
CANDLE_CACHE_BYTES = 0

# One person of a test asks more often than any person does; tests of the limits set their own.
API_RATES = {name: Rate(1_000_000, 60) for name in API_RATES}  # noqa: F405  from the base
# A whole suite comes from one address; the tests of the limits switch them on.
ACCOUNT_RATE_LIMITS = False  # type: ignore[assignment]  # the library's word for "none"

# The suite empties all tables between its tests, which the books refuse; a test of that refusal resets the setting.
# A whole test is one transaction, which may think for long on a busy machine.
DATABASES["default"]["OPTIONS"]["options"] += (  # noqa: F405  from the base
    " -c idle_in_transaction_session_timeout=120000"
    " -c pgtrigger.ignore={pgtrigger_not_truncated_4ae95,"
    "pgtrigger_not_truncated_ced55,pgtrigger_not_truncated_e398c}"
)
