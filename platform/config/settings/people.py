"""Signing up, signing in and staying signed in."""

from config.settings.environment import ENVIRONMENT, SITE_NAME

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "accounts.validators.MaximumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "web:dashboard"
LOGOUT_REDIRECT_URL = "web:home"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.web.forms.LoginForm",
    "signup": "accounts.web.forms.SignupForm",
    "add_email": "accounts.web.forms.ChangeAddressForm",
    "change_password": "accounts.web.forms.ChangePasswordForm",
    "reset_password": "accounts.web.forms.ForgottenPasswordForm",
    "reset_password_from_key": "accounts.web.forms.ResetPasswordForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 2
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if ENVIRONMENT.site_url.startswith("https") else "http"
#: Tries in a span of time by network address (``ip``), by account or mail address (``key``), or by person (``user``).
ACCOUNT_RATE_LIMITS = {
    "login": "5/m/ip,20/h/ip",
    "login_failed": "5/5m/key,20/h/key",
    "signup": "5/h/ip",
    "reset_password": "5/h/ip,5/h/key",
    "reset_password_from_key": "20/h/ip",
    "confirm_email": "5/h/key",
    "send_link": "5/h/ip,5/h/key",
    "manage_email": "5/h/user",
    "change_password": "5/m/user",
    "reauthenticate": "5/m/user",
}
# Whoever sends more addresses in X-Forwarded-For than there are proxies of ours is not believed.
ALLAUTH_TRUSTED_PROXY_COUNT = ENVIRONMENT.trusted_proxies
MFA_ADAPTER = "accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_RECOVERY_CODE_COUNT = 10
MFA_TOTP_ISSUER = SITE_NAME
#: A cookie that the event of a sign-up hands on unread; the app that sets it signs it (see referrals.services.hints).
SIGN_UP_HINT_COOKIE = "referral"
#: A link that resets a password, in seconds.
PASSWORD_RESET_TIMEOUT = 3_600
#: A session ends so long after its sign-in, however busy it is.
SESSION_COOKIE_AGE = 12 * 3_600
#: It also ends so long after it was last used by the person, in seconds; 0 for never. A page that asks for news by itself
#: is no use.
SESSION_IDLE_S = ENVIRONMENT.session_idle_minutes * 60
#: The operators' pages open only to sessions that were signed in with a second factor.
STAFF_SECOND_FACTOR_REQUIRED = True
