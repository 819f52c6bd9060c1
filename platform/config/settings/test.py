"""The test suite, against real servers."""

from config.settings.base import *  # noqa: F403  the settings of a Django environment are its base plus differences

# The default hasher is slow on purpose; a suite that signs in hundreds of times needs a quick one.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
# A fresh checkout has collected nothing: files are served from where they lie.
WHITENOISE_USE_FINDERS = True
